# %systemd_postun_with_restart: an upgrade restarts the daemon.
systemctl daemon-reload > /dev/null 2>&1 || :
if [ "$1" -ge 1 ]; then systemctl try-restart docker.service docker.socket > /dev/null 2>&1 || :; fi
