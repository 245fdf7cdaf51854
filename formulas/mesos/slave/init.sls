# A Mesos agent, which runs tasks. Package, unit and directories call it slave.
#
#   mesos.package          install it
#   mesos.config           what it shares with the master
#   mesos.slave.config     its flags, secrets, environment and unit
#   mesos.slave.service    keep it running, and restart it after a change
#
# Try it:  salt 'lxdev01' state.apply mesos.slave test=True

include:
  - common
  - mesos.package
  - mesos.config
  - mesos.slave.config
  - mesos.slave.service

# A user who applies this SLS by name wants the daemon, whatever the grain roles is.
exclude:
  - id: mesos-slave-masked
