# Mesos: a master, an agent, or both. Each is a folder over what they share.
#
#   mesos.package   install it; the daemon whose role the node lacks is stopped and masked
#   mesos.config    where ZooKeeper is, the environment of both, and how long logs are kept
#   mesos.master    flags and service of mesos-master
#   mesos.slave     flags and service of mesos-slave, called agent since Mesos 1.0
#
# Try it:  salt 'lxdev01' state.apply mesos test=True

include:
  - mesos.master
  - mesos.slave
