# Where this cluster departs from the defaults of the formulas. All of them, with units and reasons, stand in
# formulas/<name>/defaults.yaml, and formulas/<name>/pillar.example shows more. A key that is not there is refused.
#
# As it stands, every node is one that is alone, and takes its packages from the repositories that it has.

# common:
#   repositories:
#     baseurl: https://mirror.example.org/mesosphere/el/7
#     gpgkey: https://mirror.example.org/mesosphere/RPM-GPG-KEY-mesosphere
#     vault: http://vault.centos.org/7.9.2009
#   firewall:
#     clients:
#       - 10.0.0.0/8
#     members:
#       - 10.1.2.0/24
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
