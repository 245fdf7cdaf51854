# A ZooKeeper server, alone or a member of an ensemble.
#
#   zookeeper.package   install the server, and Java before it
#   zookeeper.config    who the peers are (zoo.cfg), which one this is (myid), how much memory and which log
#   zookeeper.service   keep it running, restart it when the above change
#
# Try it:  salt 'lxdev01' state.apply zookeeper test=True

include:
  - common
  - zookeeper.package
  - zookeeper.config
  - zookeeper.service
