# First process of a lab's namespaces: makes the place private, starts the daemon, and waits for it.
#
# It runs as PID 1 (so it reaps the daemon's orphans, which the daemon itself would leave as zombies),
# and its end is the end of every process, mount and network device of the lab. Arguments: the lab's
# folder, and the daemon's command line. PATH holds the lab's own tools only.
set -eu
lab=$1
shift

# A fresh /run hides the host's docker, containerd and systemd from the daemon, and holds the lab's
# data: it vanishes with the namespace. A lab folder that is itself below /run stays visible.
mount -t tmpfs -o mode=755 stamplab "$lab/run"
busybox mkdir "$lab/run/lab" "$lab/run/etc" "$lab/run/etc-work"
case $lab in
/run/*)
    inside=$lab/run/${lab#/run/}
    busybox mkdir -p "$inside"
    mount --bind "$lab" "$inside"
    ;;
esac
mount --rbind "$lab/run" /run

# The daemon writes /etc/docker/key.json, and its containerd makes /opt/containerd, whatever they are
# told: so /etc takes writes in memory only, and the rest of the root file system takes none, but for
# the lab's own folder.
mount --bind "$lab" "$lab"
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc-work stamplab /etc
mount -o remount,bind,ro /

# Without securityfs the daemon finds no AppArmor, so it loads no profile into the host's kernel.
if [ -d /sys/kernel/security ]; then
    mount -t tmpfs -o ro stamplab /sys/kernel/security
fi

ip link set lo up

"$@" &
daemon=$!
trap 'kill -TERM $daemon' TERM
while kill -0 "$daemon" 2>/dev/null; do
    wait "$daemon" || :
done
