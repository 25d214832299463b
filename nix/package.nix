{
  lib,
  callPackage,
  docker,
  gitMinimal,
  python3Packages,
  shellcheck,
  util-linux,
  # An abra of one's own, for `stamplab run` and `repro`; without one it is a stand-in's part.
  withAbra ? null,
}:
let
  inherit (lib.importTOML ../pyproject.toml) project;
  stampload = callPackage ./stampload.nix { };
  stackspec = callPackage ./stackspec.nix { };
  swarmsim = callPackage ./swarmsim.nix { };
  gogit = callPackage ./gogit.nix { };
  tools = callPackage ./tools.nix {
    inherit
      docker
      gogit
      stackspec
      swarmsim
      withAbra
      ;
  };
in
python3Packages.buildPythonApplication {
  pname = project.name;
  inherit (project) version;
  pyproject = true;

  # All but what is Nix's and the continuous integration's own.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../CHANGELOG.md
      ../CONTRIBUTING.md
      ../LICENSE
      ../README.md
      ../benchmarks
      ../docs
      ../harness
      ../lab
      ../pyproject.toml
      ../requirements
      ../run
      ../scenarios
      ../stamplab
      ../tests
      ../typings
      ./vm_test.py
    ];
  };

  build-system = [ python3Packages.hatchling ];

  dependencies = [
    python3Packages.click
    python3Packages.docker
    python3Packages.gitpython
    python3Packages.hypothesis
    python3Packages.msgspec
    python3Packages.psutil
    python3Packages.pyyaml
    python3Packages.requests
    python3Packages.rich
  ];

  makeWrapperArgs = [
    # Nothing of the caller's, its Python modules neither.
    "--unset"
    "PYTHONPATH"
    "--set"
    "STAMPLAB_TOOLS"
    "${tools}/bin"
    "--set-default"
    "STAMPLOAD"
    (lib.getExe stampload)
    # What to repeat as root, and to replay a run by: the program itself is some file behind it.
    "--set"
    "STAMPLAB_COMMAND"
    "${placeholder "out"}/bin/stamplab"
  ];

  pythonImportsCheck = [
    "stamplab"
    "stamplab.cli.main"
  ];

  # Lint and types are tests/quality. Live tests need root and an engine, which no build has.
  nativeCheckInputs =
    (with python3Packages; [
      hatchling
      mypy
      pytest-timeout
      pytest-xdist
      pytestCheckHook
      ruff
      types-psutil
      types-pyyaml
      types-requests
    ])
    ++ [
      gitMinimal
      shellcheck
      util-linux
    ];
  env = {
    STAMPLAB_GOGIT = lib.getExe gogit;
    STAMPLAB_STACKSPEC = lib.getExe stackspec;
    STAMPLAB_SWARMSIM = lib.getExe swarmsim;
    STAMPLOAD = lib.getExe stampload;
  };
  enabledTestPaths = [
    "tests/unit"
    "tests/property"
    "tests/quality"
    "tests/contract"
    "tests/cli/test_readme.py"
  ];

  passthru = {
    inherit
      gogit
      stackspec
      stampload
      swarmsim
      tools
      ;
  };

  meta = {
    inherit (project) description;
    mainProgram = "stamplab";
    license = lib.licenses.asl20;
    platforms = lib.platforms.linux;
  };
}
