# Where this cluster departs from the defaults of the formulas. All of them, with units and reasons, stand in
# formulas/<name>/defaults.yaml, and formulas/<name>/pillar.example shows more. A key that is not there is refused.
#
# What nodes have to know of each other is not set here: it follows from the table, topology.yaml beside this file (servers, ids,
# quorum, zk:// URLs, addresses, the members of the firewall). Who may use the APIs and web pages, `clients`, is set here. As it
# stands, nodes take their packages from the repositories that they have.

# common:
#   repositories:
#     baseurl: https://mirror.example.org/mesosphere/el/7
#     gpgkey: https://mirror.example.org/mesosphere/RPM-GPG-KEY-mesosphere
#     vault: http://vault.centos.org/7.9.2009
#   firewall:
#     clients:
#       - 10.0.0.0/8
#
# zookeeper:
#   heap: 1024
#
# mesos:
#   version: 1.9.0
#
# marathon:
#   version: 1.8.244
#
# docker:
#   options:
#     insecure-registries:
#       - registry.example.org:5000
