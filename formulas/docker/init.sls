# dockerd, for Mesos agents that run containers.
#
#   docker.package   install it, and remove what conflicts with it
#   docker.config    /etc/docker/daemon.json, proxy, and the files in /etc/sysconfig
#   docker.service   keep it running, and restart it after a change
#
# Try it:  salt 'lxdev01' state.apply docker test=True

include:
  - common
  - docker.package
  - docker.config
  - docker.service
