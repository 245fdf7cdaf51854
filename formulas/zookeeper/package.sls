# The ZooKeeper server. Its package enables the unit, but does not start or restart it.

{%- from "zookeeper/map.jinja" import zookeeper, package with context %}

include:
  - common.repositories
  - common.java

{%- set version = zookeeper.version or '*' %}
{%- if zookeeper.version and zookeeper.release %}
{%- set version = version ~ '-' ~ zookeeper.release %}
{%- endif %}

zookeeper-turn:
  daemon.turn:
    - name: {{ package.service }}
    - package: {{ zookeeper.package | json }}
    - version: {{ version | json }}

zookeeper-package:
  pkg.installed:
    - name: {{ zookeeper.package | json }}
{%- if zookeeper.version %}
    - version: {{ version | json }}
{%- endif %}
    - require:
      - daemon: zookeeper-turn
      - sls: common.repositories
      - pkg: java
