# A NixOS host that wants the lab, or the guard, installed.
flake:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  this = config.programs.stamplab;
in
{
  options.programs.stamplab = {
    enable = lib.mkEnableOption "stamplab, a repro lab for silent swarm rollbacks";
    package = lib.mkOption {
      type = lib.types.package;
      default = flake.packages.${pkgs.stdenv.hostPlatform.system}.default;
      defaultText = lib.literalExpression "stamplab.packages.\${system}.default";
      description = "The stamplab to install; `stamplab.override { withAbra = …; }` brings an abra along.";
    };
    loadModules = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = ''
        Load at boot the kernel modules that a first lab would make the kernel load, so that a lab
        leaves the machine as it found it: no namespace prevents the loading.
      '';
    };
    reapAtBoot = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Remove at boot exactly what labs have left that were cut off by a crash.";
    };
  };

  config = {
    environment.systemPackages = lib.mkIf this.enable [ this.package ];
    boot.kernelModules = lib.mkIf (this.enable && this.loadModules) [
      "bridge"
      "nf_conntrack"
      "nf_nat"
      "nf_tables"
      "overlay"
      "veth"
      "vxlan"
    ];
    systemd.services = lib.mkIf (this.enable && this.reapAtBoot) {
      stamplab-reap = {
        description = "Remove what dead labs of stamplab have left";
        wantedBy = [ "multi-user.target" ];
        after = [ "local-fs.target" ];
        serviceConfig = {
          Type = "oneshot";
          ExecStart = "${lib.getExe this.package} doctor --reap";
          # Whether labs could run here (77: they cannot) is not what is asked.
          SuccessExitStatus = "77";
        };
      };
    };
  };
}
