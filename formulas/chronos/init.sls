# Chronos, which runs jobs on Mesos, at times or after other jobs. Alone, or one of several, of
# which one leads.
#
#   chronos.package   install it, with Java and the library of Mesos
#   chronos.config    options, environment, secrets and unit
#   chronos.service   keep it running, and restart it after a change
#
# Try it:  salt 'lxdev01' state.apply chronos test=True

include:
  - common
  - chronos.package
  - chronos.config
  - chronos.service
