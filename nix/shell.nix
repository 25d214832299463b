# Everything a developer needs. `./run` is for machines without Nix: here it is `python -m stamplab`
# and `python -m pytest`.
{
  deadnix,
  mkShell,
  nixfmt,
  pkgsStatic,
  python3,
  shellcheck,
  stamplab,
}:
mkShell {
  inputsFrom = [ stamplab.gogit ]; # its Go
  packages = [
    (python3.withPackages (
      packages:
      stamplab.dependencies
      ++ (with packages; [
        hatchling
        mypy
        pytest
        pytest-timeout
        pytest-xdist
        ruff
        types-psutil
        types-pyyaml
        types-requests
      ])
    ))
    stamplab.tools
    deadnix
    nixfmt
    shellcheck
  ];
  # The compiler that links a static stampload.
  CC = "${pkgsStatic.stdenv.cc}/bin/${pkgsStatic.stdenv.cc.targetPrefix}cc";
  shellHook = ''
    export PYTHONPATH=$PWD
  '';
}
