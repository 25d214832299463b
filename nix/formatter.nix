# Formats the Nix and Python files of the flake it is run in; `--check` only says what it would do.
{
  git,
  nixfmt,
  ruff,
  writeShellApplication,
}:
writeShellApplication {
  name = "format";
  runtimeInputs = [
    git
    nixfmt
    ruff
  ];
  text = ''
    root=$(git rev-parse --show-toplevel)
    cd "$root"
    git ls-files -z '*.nix' | xargs --null nixfmt "$@"
    ruff format "$@"
  '';
  meta.description = "Formats the Nix and Python files";
}
