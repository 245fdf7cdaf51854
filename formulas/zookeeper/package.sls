# The ZooKeeper server. Its package enables the unit, but does not start or restart it.

{%- from "zookeeper/map.jinja" import zookeeper, package with context %}

include:
  - common.repositories
  - common.java

{%- if zookeeper.version %}
{%- set version = zookeeper.version ~ ('-' ~ zookeeper.release if zookeeper.release else '') %}

zookeeper-turn:
  daemon.turn:
    - name: {{ package.service }}
    - package: {{ zookeeper.package | json }}
    - version: {{ version | json }}
{%- endif %}

zookeeper-package:
  pkg.installed:
    - name: {{ zookeeper.package | json }}
{%- if zookeeper.version %}
    - version: {{ version | json }}
{%- endif %}
    - require:
{%- if zookeeper.version %}
      - daemon: zookeeper-turn
{%- endif %}
      - sls: common.repositories
      - pkg: java
