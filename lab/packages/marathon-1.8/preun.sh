# Also an upgrade comes here, after the new version was installed.
systemctl stop marathon || :
systemctl disable marathon || :
