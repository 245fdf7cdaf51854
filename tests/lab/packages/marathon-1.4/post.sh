systemctl enable marathon
