# dockerd, for Mesos agents that run containers.
#
#   docker.package   install it, after what conflicts with it is gone
#   docker.config    /etc/docker/daemon.json, proxy, and the files in /etc/sysconfig
#   docker.service   keep it running, after the firewall; restart it when the above change
#
# Try it:  salt 'lxdev01' state.apply docker test=True

include:
  - common
  - docker.package
  - docker.config
  - docker.service
