# SwarmKit itself in virtual time: the virtual world.
{ lib, buildGo126Module }:
buildGo126Module {
  pname = "swarmsim";
  inherit ((lib.importTOML ../pyproject.toml).project) version;
  src = lib.fileset.toSource {
    root = ../lab/virtual/swarmsim;
    fileset = lib.fileset.fileFilter (file: !file.hasExt "md") ../lab/virtual/swarmsim;
  };
  vendorHash = "sha256-ZfotqR2bGM51d5eNAIaL73jDnwP79IaBTSqHLCEsW8g=";
  subPackages = [ "." ];
  # One seed gives one history only with a runtime whose dice can be seeded.
  tags = [ "seeded" ];
  preBuild = ''
    mkdir "$TMPDIR/seeded"
    go run ./seeded "$TMPDIR/seeded"
    export GOFLAGS="$GOFLAGS -overlay=$TMPDIR/seeded/overlay.json"
  '';
  checkFlags = [ "-short" ];
  # Static, as `lab/support/go_build.py` makes it.
  env.CGO_ENABLED = 0;
  ldflags = [
    "-s"
    "-w"
  ];
  meta = {
    description = "The real SwarmKit in virtual time, stepped by requests";
    mainProgram = "swarmsim";
    license = lib.licenses.asl20;
    platforms = lib.platforms.linux;
  };
}
