# Marathon, which keeps services running on Mesos. Alone, or one of several, of which one leads.
#
#   marathon.package   install it, with Java and the library of Mesos
#   marathon.config    options, environment, secrets and unit, in the files of this version
#   marathon.service   keep it running, and restart it after a change
#
# Try it:  salt 'lxdev01' state.apply marathon test=True

include:
  - common
  - marathon.config
  - marathon.package
  - marathon.service
