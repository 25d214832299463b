# docker/cli's own `stack deploy` at an engine that only remembers: it resolves compose files.
{ lib, buildGo126Module }:
buildGo126Module {
  pname = "stackspec";
  inherit ((lib.importTOML ../pyproject.toml).project) version;
  src = lib.fileset.toSource {
    root = ../lab/recipe/stackspec;
    fileset = lib.fileset.fileFilter (file: !file.hasExt "md") ../lab/recipe/stackspec;
  };
  vendorHash = "sha256-GzC8N0pnv0b5TeQRti0EZywmuJ5zCMZPD5EmQd1Yb0E=";
  # Static, as `lab/support/go_build.py` makes it.
  env.CGO_ENABLED = 0;
  ldflags = [
    "-s"
    "-w"
  ];
  meta = {
    description = "What docker stack deploy would send for compose files, without docker";
    mainProgram = "stackspec";
    license = lib.licenses.asl20;
    platforms = lib.platforms.linux;
  };
}
