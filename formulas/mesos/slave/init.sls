# A Mesos agent: what runs tasks. Package, unit and directories call it slave.
#
#   mesos.package          install it
#   mesos.config           what it shares with the master
#   mesos.slave.config     its flags, secrets, environment and unit
#   mesos.slave.service    keep it running, restart it when the above change
#
# Try it:  salt 'lxdev01' state.apply mesos.slave test=True

include:
  - common
  - mesos.package
  - mesos.config
  - mesos.slave.config
  - mesos.slave.service

# Who applies this by name wants the daemon, even if the grain roles does not say so.
exclude:
  - id: mesos-slave-stopped
  - id: mesos-slave-masked
