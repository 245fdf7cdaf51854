# Marathon: keeps services running on Mesos. Alone, or several of which one leads.
#
#   marathon.package   install it, with Java and the library of Mesos
#   marathon.config    options, environment, secrets and unit, where this version reads them
#   marathon.service   keep it running, restart it when the above change
#
# Try it:  salt 'lxdev01' state.apply marathon test=True

include:
  - common
  - marathon.config
  - marathon.package
  - marathon.service
