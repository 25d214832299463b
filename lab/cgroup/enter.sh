# shellcheck shell=dash
# Starts a command in a leaf of a group of cgroup v2, in a cgroup namespace whose root is that group.
#
#   enter.sh GROUP LEAF COMMAND…
#
# A namespace's root is where its maker is at that moment; so the group is entered, the namespace is
# made, and the group is left for the leaf: with a process in it, it could hand no controller down.
# All of it happens in one process, so the caller knows the command by its pid.
set -eu
group=$1
leaf=$2
shift 2
if [ "$1" != --in-namespace ]; then
    echo $$ >"$group/cgroup.procs"
    exec unshare --cgroup -- sh "$0" "$group" "$leaf" --in-namespace "$@"
fi
shift
busybox mkdir "$group/$leaf"
echo $$ >"$group/$leaf/cgroup.procs"
exec "$@"
