systemctl enable chronos
