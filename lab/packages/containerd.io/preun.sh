# %systemd_preun: the removal of the package stops the daemon.
if [ "$1" -eq 0 ]; then
    systemctl --no-reload disable containerd.service > /dev/null 2>&1 || :
    systemctl stop containerd.service > /dev/null 2>&1 || :
fi
