# go-git itself, behind a question and an answer a line: the stand-in for abra stamps by it.
{ lib, buildGo126Module }:
buildGo126Module {
  pname = "gogit";
  inherit ((lib.importTOML ../pyproject.toml).project) version;
  src = lib.fileset.toSource {
    root = ../lab/abra/gogit;
    # The default version's: vendoring wants a module for whatever a source names, under any tag.
    fileset = lib.fileset.unions [
      ../lab/abra/gogit/go.mod
      ../lab/abra/gogit/go.sum
      ../lab/abra/gogit/main.go
      ../lab/abra/gogit/shield.go
      ../lab/abra/gogit/v5.go
    ];
  };
  vendorHash = "sha256-GMLahdPOXOSK2gx33giqSyieTNaD5xWw1LQ7MfOLqdA=";
  # Static, as `lab/support/go_build.py` makes it.
  env.CGO_ENABLED = 0;
  ldflags = [
    "-s"
    "-w"
  ];
  meta = {
    description = "go-git, asked for what it finds in a repository";
    mainProgram = "gogit";
    license = lib.licenses.asl20;
    platforms = lib.platforms.linux;
  };
}
