# What `nix flake check` builds. The NixOS test is an output of its own: it takes minutes.
flake:
{
  deadnix,
  lib,
  nixfmt,
  ruff,
  runCommand,
  shellcheck,
  stamplab,
  stdenv,
  ...
}:
let
  inherit (stdenv.hostPlatform) system;
  check = name: inputs: runCommand "stamplab-check-${name}" { nativeBuildInputs = inputs; };
in
{
  # Its check phase is lint, types and the pure tests.
  package = stamplab;

  apps = check "apps" [ ] ''
    set -x
    ${lib.concatStrings (
      lib.mapAttrsToList (_: app: "${app.program} --help >/dev/null\n") flake.apps.${system}
    )}
    touch $out
  '';

  # Whatever its caller has on PATH.
  tools = check "tools" [ ] ''
    PATH= ${lib.getExe stamplab} --version --verbose | tee said
    while read -r tool version path; do
      case $tool:$path in
        python:/nix/store/* | abra:not\ found | systemd-run:*) ;;
        *:${builtins.storeDir}/*) ;;
        *) echo "$tool is not from the closure: $path" >&2; exit 1 ;;
      esac
    done < <(tail -n +2 said)
    touch $out
  '';

  # Every command of the README's, understood by the program that was built.
  docs = check "docs" [ ] ''
    sed -n '/^```sh$/,/^```$/ s,^\./run \([^#]*\).*,\1,p' ${flake}/README.md |
      grep -v '^test' >commands
    test $(wc -l <commands) -gt 10
    while read -r command; do
      echo "stamplab $command"
      eval "set -- $command"
      ${lib.getExe stamplab} "$@" --help >/dev/null
    done <commands
    touch $out
  '';

  formatting =
    check "formatting"
      [
        deadnix
        nixfmt
        ruff
        shellcheck
      ]
      ''
        cd ${flake}
        find . -name '*.nix' -print0 | xargs -0 nixfmt --check
        deadnix --fail .
        ruff format --no-cache --check .
        shellcheck run .ci/* lab/*/*.sh
        test -x ${lib.getExe flake.formatter.${system}}
        touch $out
      '';
}
