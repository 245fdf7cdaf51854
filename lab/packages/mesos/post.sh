ldconfig
systemctl enable mesos-master
systemctl enable mesos-slave
