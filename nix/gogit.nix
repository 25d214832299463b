# go-git itself, behind a question and an answer a line: the tests hold the stand-in for abra to it.
{ lib, buildGo126Module }:
buildGo126Module {
  pname = "gogit";
  inherit ((lib.importTOML ../pyproject.toml).project) version;
  src = lib.fileset.toSource {
    root = ../tests/gogit;
    fileset = lib.fileset.unions [
      ../tests/gogit/go.mod
      ../tests/gogit/go.sum
      ../tests/gogit/main.go
    ];
  };
  vendorHash = "sha256-GMLahdPOXOSK2gx33giqSyieTNaD5xWw1LQ7MfOLqdA=";
  meta = {
    description = "go-git, asked for what it finds in a repository; for the tests";
    mainProgram = "gogit";
    license = lib.licenses.asl20;
    platforms = lib.platforms.linux;
  };
}
