# A Mesos master, alone or one of several that elect a leader.
#
#   mesos.package          install it
#   mesos.config           what it shares with the agent
#   mesos.master.config    its flags, secrets, environment and unit
#   mesos.master.service   keep it running, and restart it after a change
#
# Try it:  salt 'lxdev01' state.apply mesos.master test=True

include:
  - common
  - mesos.package
  - mesos.config
  - mesos.master.config
  - mesos.master.service

# A user who applies this SLS by name wants the daemon, whatever the grain roles is.
exclude:
  - id: mesos-master-masked
