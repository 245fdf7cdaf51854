if [ "$1" -eq 0 ]; then
  systemctl --no-reload disable marathon.service || :
  systemctl stop marathon.service || :
fi
