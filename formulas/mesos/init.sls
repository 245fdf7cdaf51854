# Mesos: a master, an agent, or both. Each is a directory, and they share the rest.
#
#   mesos.package   install it; stop and mask a daemon whose role the node does not have
#   mesos.config    the ZooKeeper URL, the environment of both, and log retention
#   mesos.master    flags and service of mesos-master
#   mesos.slave     flags and service of mesos-slave, called agent since Mesos 1.0
#
# Try it:  salt 'lxdev01' state.apply mesos test=True

include:
  - mesos.master
  - mesos.slave
