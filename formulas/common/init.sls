# What every node with a role needs. Each formula includes it.
#
#   common.validate       stops rendering for wrong settings, roles and operating systems
#   common.repositories   yum repositories
#   common.time           the clock
#   common.sysctl         kernel parameters
#   common.journald       a journal that survives a reboot
#   common.firewall       one zone file with the ports of this node's roles
#   common.turn           gives back the turn that a restart in a cluster has taken
#
#   common.java           Java 8, included by the formulas that need it
#
# Try it:  salt 'lxdev01' state.apply common test=True

include:
  - common.validate
  - common.repositories
  - common.time
  - common.sysctl
  - common.journald
  - common.firewall
  - common.turn
