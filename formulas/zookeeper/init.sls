# A ZooKeeper server, alone or as a member of an ensemble.
#
#   zookeeper.package   install the server, and Java before it
#   zookeeper.config    peers (zoo.cfg), id (myid), memory and log
#   zookeeper.service   keep it running, and restart it after a change
#
# Try it:  salt 'lxdev01' state.apply zookeeper test=True

include:
  - common
  - zookeeper.package
  - zookeeper.config
  - zookeeper.service
