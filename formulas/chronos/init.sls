# Chronos: runs jobs on Mesos, by the clock or after one another. Alone, or several of which one leads.
#
#   chronos.package   install it, with Java and the library of Mesos
#   chronos.config    options, environment, secrets and unit
#   chronos.service   keep it running, restart it when the above change
#
# Try it:  salt 'lxdev01' state.apply chronos test=True

include:
  - common
  - chronos.package
  - chronos.config
  - chronos.service
