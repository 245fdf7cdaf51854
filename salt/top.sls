# Which node gets which states: the grain `roles` of a minion (a list, or one word) names them.
# common.minion is for everyone. It leaves minions alone that are not nodes of a cluster. On a node
# it stops rendering for an error, and stops the daemons of roles that were withdrawn.

base:
  '*':
    - common.minion
  'roles:zookeeper':
    - match: grain
    - zookeeper
  'roles:docker':
    - match: grain
    - docker
  'roles:mesos-master':
    - match: grain
    - mesos.master
  'roles:mesos-slave':
    - match: grain
    - mesos.slave
  'roles:marathon':
    - match: grain
    - marathon
  'roles:chronos':
    - match: grain
    - chronos
