export SETTINGS_VERSION=v3

backup() {
  echo
}
