# Who gets what: the grain `roles` of a minion (a list, or one word) names the formulas. common.guard is for everyone and refuses
# what it does not know: an unknown role, an unknown setting, an operating system that is not EL.

base:
  '*':
    - common.guard
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
