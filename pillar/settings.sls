# yaml-language-server: $schema=../docs/schema.json
# Where this cluster differs from the defaults of the formulas. formulas/<name>/defaults.yaml lists
# all settings with units and reasons, and formulas/<name>/pillar.example shows more of them. A key
# that does not exist is an error.
#
# Servers, ids, quorum, zk:// URLs, addresses and the members of the firewall are derived from
# topology.yaml, beside this file. Do not set them here. Set common:firewall:clients, the networks
# that may use the APIs and web pages; by default everyone may. By default nodes use the yum
# repositories that they have.

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
