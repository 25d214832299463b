# shellcheck shell=dash
# Runs abra where it finds no engine but the lab's, and no network (the caller has unshared both).
#
#   confined.sh SOCKET PROGRAM…
set -eu
socket=$1
shift
case $socket in
  /run/*) ;; # it must stay to be seen
  *) mount -t tmpfs tmpfs /run && ln -s "$socket" /run/docker.sock ;;
esac
exec "$@"
