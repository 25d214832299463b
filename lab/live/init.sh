# shellcheck shell=dash
# First process of a lab's namespaces: makes the place private, starts the daemon, and waits for it.
#
# It runs as PID 1 (so it reaps the daemon's orphans, which the daemon itself would leave as zombies),
# and its end is the end of every process, mount and network device of the lab. Arguments: the lab's
# folder, and the daemon's command line. PATH holds the lab's own tools only.
set -eu
lab=$1
shift

# A fresh /run hides the host's docker, containerd and systemd from the daemon, and holds the lab's
# data: it vanishes with the namespace (ADR 0001).
run=$lab/run
mount -t tmpfs -o mode=755 stamplab "$run"
busybox mkdir "$run/lab" "$run/folder"
mount --bind "$lab" "$run/folder"
mount --rbind "$run" /run
PATH=$PATH:/run/folder/bin

# Whatever they are told, the daemon writes /etc/docker/key.json, its network library
# /var/lib/docker/network, its containerd /opt/containerd, and runc /tmp: so these places take writes
# in memory only (and /opt none), like the rest of the root file system, but for the lab's own folder.
overlay() {
    busybox mkdir "/run/$2" "/run/$2.work"
    mount -t overlay -o "lowerdir=$1,upperdir=/run/$2,workdir=/run/$2.work" stamplab "$1"
}
overlay /etc etc
overlay /var/lib lib
overlay /tmp tmp
busybox mkdir -p "$lab"
mount --bind /run/folder "$lab"
mount -o remount,bind,ro /

# Without securityfs the daemon finds no AppArmor, so it loads no profile into the host's kernel.
if [ -d /sys/kernel/security ]; then
    mount -t tmpfs -o ro stamplab /sys/kernel/security
fi

# Where version 2 of the control groups is the only one, the daemon sees them from its lab's own group
# down: runc enables controllers from the root that it sees.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    busybox umount -l /sys/fs/cgroup
    mount -t cgroup2 stamplab /sys/fs/cgroup
fi

ip link set lo up

"$@" &
daemon=$!
trap 'kill -TERM $daemon' TERM
while kill -0 "$daemon" 2>/dev/null; do
    wait "$daemon" || :
done
