# Every program that both worlds run, in one folder: what is not here is not run, whatever is on PATH.
# (systemd-run alone is the machine's own, for it has to fit the systemd that runs.)
{
  lib,
  runCommand,
  bash,
  coreutils,
  docker,
  gitMinimal,
  iproute2,
  iptables,
  pkgsStatic,
  util-linux,
  # Ours.
  gogit,
  stackspec,
  swarmsim,
  withAbra ? null,
}:
let
  # The daemon's own parts, the very ones that its wrapper makes it find. A docker that is not split
  # into the client and moby has them beside the client.
  engine = if docker ? moby then "${docker.moby}/libexec/docker" else "${docker}/bin";
  from = folder: names: lib.genAttrs names (name: "${folder}/${name}");
  programs =
    from "${docker}/bin" [
      "docker"
      "dockerd"
    ]
    // from engine [
      "containerd"
      "docker-init"
      "docker-proxy"
      "runc"
    ]
    // from "${iptables}/bin" [
      "ip6tables"
      "iptables"
      "iptables-restore"
      "iptables-save"
    ]
    // from "${util-linux}/bin" [
      "mount"
      "setpriv"
      "unshare"
    ]
    // from "${bash}/bin" [ "sh" ]
    // from "${coreutils}/bin" [
      "cp"
      "ln"
      "printf"
      "true"
    ]
    // from "${gitMinimal}/bin" [ "git" ]
    // from "${iproute2}/bin" [ "ip" ]
    # Static: it is copied into images, which hold no library.
    // from "${pkgsStatic.busybox}/bin" [ "busybox" ]
    # What stamps are read by.
    // from "${gogit}/bin" [ "gogit" ]
    # The virtual world.
    // from "${stackspec}/bin" [ "stackspec" ]
    // from "${swarmsim}/bin" [ "swarmsim" ]
    // lib.optionalAttrs (withAbra != null) (from "${withAbra}/bin" [ "abra" ]);
in
runCommand "stamplab-tools" { meta.description = "The programs that a lab of stamplab runs"; } ''
  mkdir -p $out/bin
  ${lib.concatStrings (
    lib.mapAttrsToList (name: path: ''
      test -x ${path}
      ln -s ${path} $out/bin/${name}
    '') programs
  )}
  # Where containerd itself looks for it.
  shim=$(dirname $(readlink -f $out/bin/containerd))/containerd-shim-runc-v2
  test -x $shim
  ln -s $shim $out/bin/
''
