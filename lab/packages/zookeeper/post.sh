set -e
systemctl enable zookeeper
