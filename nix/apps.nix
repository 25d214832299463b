# One app for each command worth a name. `nix run .#NAME -- --help` says more.
{
  lib,
  stamplab,
  writeShellApplication,
  ...
}:
let
  app =
    name:
    { command, description }:
    {
      type = "app";
      program = lib.getExe (writeShellApplication {
        inherit name;
        text = ''exec ${lib.getExe stamplab} ${command} "$@"'';
        meta = { inherit description; };
      });
      meta = { inherit description; };
    };
  named = lib.mapAttrs app {
    repro-discourse = {
      command = "repro discourse";
      description = "Reproduce the discourse abra-stamp drift on a private docker engine, and prove its fix";
    };
    repro-recipe = {
      command = "repro recipe";
      description = "The same on any recipe, by its own policy";
    };
    guard = {
      command = "guard";
      description = "Follow a deploy to any swarm to its end: was it really deployed, and if not, why";
    };
    explore = {
      command = "explore";
      description = "Search an upgrade's timing, on the real SwarmKit in virtual time, for a wrong verdict";
    };
    parity = {
      command = "parity";
      description = "Every scenario in both worlds, held to its declared history";
    };
    doctor = {
      command = "doctor";
      description = "What this machine has and lacks for a live lab";
    };
    vet = {
      command = "vet";
      description = "What a recipe would be refused for";
    };
    generations = {
      command = "generations";
      description = "Whether abra changed between NixOS generations";
    };
  };
in
named
// {
  default = {
    type = "app";
    program = lib.getExe stamplab;
    meta.description = "All commands of stamplab";
  };
}
