if [ "$1" -eq 1 ]; then
  systemctl daemon-reload || :
  systemctl enable marathon.service || :
  systemctl start marathon.service || :
else
  systemctl try-restart marathon.service || :
fi
