# What every node of the cluster needs, whatever its roles.
#
#   common.guard          refuse to render when a setting, a role or the operating system is not known
#   common.repositories   where packages come from
#   common.time           a clock that is right
#   common.sysctl         kernel parameters
#   common.journald       logs that survive a reboot
#   common.firewall       one zone file with the ports of this node's roles
#
#   common.java           Java 8, included by the formulas whose programs run on it
#
# Try it:  salt 'lxdev01' state.apply common test=True

include:
  - common.guard
  - common.repositories
  - common.time
  - common.sysctl
  - common.journald
  - common.firewall
