#!/bin/bash
# The quick start of the Mesos documentation as a plain script: what the same node costs without Salt.
# Run on a bare lab host as `quickstart.sh BASE_URL`; BASE_URL is the lab's package server.
set -euo pipefail
base=$1

rm -f /etc/yum.repos.d/*.repo
repo() { printf '[%s]\nname=%s\nbaseurl=%s\nenabled=1\ngpgcheck=1\ngpgkey=%s/RPM-GPG-KEY-lab\n\n' "$1" "$1" "$2" "$base"; }
{
    repo mesosphere "$base/el/7/\$basearch/"
    repo mesosphere-noarch "$base/el/7/noarch/"
    for section in os updates extras; do repo "$section" "$base/centos/7.9.2009/$section/\$basearch/"; done
} > /etc/yum.repos.d/lab.repo

yum -y -q install java-1.8.0-openjdk chrony mesosphere-zookeeper mesos-1.9.0 marathon-1.8.244 chronos-2.5.0 docker

mkdir -p /var/lib/zookeeper
printf '1\n' > /var/lib/zookeeper/myid
cat > /etc/zookeeper/conf/zoo.cfg <<'EOF'
tickTime=2000
initLimit=10
syncLimit=5
dataDir=/var/lib/zookeeper
clientPort=2181
admin.enableServer=false
4lw.commands.whitelist=*
EOF

printf 'zk://localhost:2181/mesos\n' > /etc/mesos/zk
printf '1\n' > /etc/mesos-master/quorum
printf 'docker,mesos\n' > /etc/mesos-slave/containerizers
printf '5mins\n' > /etc/mesos-slave/executor_registration_timeout

cat > /etc/default/marathon <<'EOF'
MARATHON_MASTER=zk://localhost:2181/mesos
MARATHON_ZK=zk://localhost:2181/marathon
MARATHON_MESOS_USER=root
LIBPROCESS_PORT=15101
EOF
printf 'LIBPROCESS_PORT=15201\n' > /etc/sysconfig/chronos

cat > /etc/sysconfig/docker <<'EOF'
OPTIONS=''
EOF
mkdir -p /etc/docker
printf '{"storage-driver": "overlay2", "log-driver": "json-file", "live-restore": true}\n' > /etc/docker/daemon.json

systemctl -q enable --now firewalld
for port in 5050 5051 8080 4400; do firewall-cmd -q --permanent --add-port "$port/tcp"; done
firewall-cmd -q --reload

systemctl -q enable --now chronyd zookeeper docker mesos-master mesos-slave marathon chronos
