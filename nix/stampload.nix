# The application's stand-in: a static program, for it is copied into images without libraries.
# Built by the very code that builds it where there is no Nix.
{
  lib,
  pkgsStatic,
  python3,
}:
pkgsStatic.stdenv.mkDerivation {
  pname = "stampload";
  inherit ((lib.importTOML ../pyproject.toml).project) version;
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../lab/__init__.py
      ../lab/errors.py
      ../lab/support/__init__.py
      ../lab/support/cache.py
      ../lab/support/programs.py
      ../lab/workload
      ../stamplab/__init__.py
      ../stamplab/lab # a link to the folder at the top
    ];
  };
  nativeBuildInputs = [ (python3.withPackages (packages: [ packages.msgspec ])) ];
  buildPhase = ''
    runHook preBuild
    python3 -c 'from pathlib import Path; from stamplab.lab.workload.build import build_program
    print(build_program(Path("built")))'
    runHook postBuild
  '';
  installPhase = ''
    runHook preInstall
    install -D built/workload/*/stampload -t $out/bin
    runHook postInstall
  '';
  meta = {
    description = "The application's stand-in: a web server with a memory curve, and its clients";
    mainProgram = "stampload";
    license = lib.licenses.asl20;
    platforms = lib.platforms.linux;
  };
}
