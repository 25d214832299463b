# The incident reproduced and fixed in a NixOS guest: cgroup v2, systemd, the images made of programs
# that Nix built, no network. An output of its own, for it takes minutes and wants KVM (ADR 0027).
{
  stamplab,
  testers,
  module,
}:
let
  test = testers.runNixOSTest {
    name = "stamplab-repro-discourse";

    nodes.machine = {
      imports = [ module ];
      programs.stamplab = {
        enable = true;
        package = stamplab;
        loadModules = true;
        reapAtBoot = true;
      };
      virtualisation = {
        cores = 2;
        memorySize = 3072;
        # No network but the loopback: a lab needs none.
        vlans = [ ];
      };
    };

    # In a file of its own, so that it is linted, and type-checked by tests/quality.
    testScript = builtins.readFile ./vm_test.py;
  };
in
test
// {
  meta = test.meta // {
    description = "The incident reproduced and fixed in a NixOS guest";
  };
}
