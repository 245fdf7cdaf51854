# The ZooKeeper server. Its package enables the unit, but does not start or restart it.

{%- from "zookeeper/map.jinja" import zookeeper with context %}

include:
  - common.repositories
  - common.java

zookeeper-package:
  pkg.installed:
    - name: {{ zookeeper.package | json }}
{%- if zookeeper.version %}
{%- set version = zookeeper.version ~ ('-' ~ zookeeper.release if zookeeper.release else '') %}
    - version: {{ version | json }}
{%- endif %}
    - require:
      - sls: common.repositories
      - pkg: java
