# shellcheck shell=dash
# Runs abra where only the lab's engine can be found, and no network (the caller unshared both).
#
#   confined.sh SOCKET PROGRAM…
set -eu
socket=$1
shift
case $socket in
  /run/*) ;; # a tmpfs on /run would hide the lab's own socket
  *) mount -t tmpfs tmpfs /run && ln -s "$socket" /run/docker.sock ;;
esac
exec "$@"
