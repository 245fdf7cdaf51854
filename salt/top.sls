# Which node gets which states: the grain `roles` of a minion (a list, or one word) names them.
# common.guard is for everyone. It stops rendering for an unknown role, an unknown setting, and an
# operating system that is not EL. common.withdrawn stops the daemons of roles that were withdrawn.

base:
  '*':
    - common.guard
    - common.withdrawn
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
