if [ "$1" -eq 1 ]; then systemctl enable chronyd.service || :; fi
