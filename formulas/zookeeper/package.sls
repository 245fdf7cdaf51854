# The ZooKeeper server. Nothing of its package is started or restarted by rpm; the unit is enabled.

{%- from "zookeeper/map.jinja" import zookeeper with context %}

include:
  - common.repositories
  - common.java

zookeeper-package:
  pkg.installed:
    - name: {{ zookeeper.package }}
{%- if zookeeper.version %}
    - version: '{{ zookeeper.version }}{{ "-" ~ zookeeper.release if zookeeper.release else "" }}'
{%- endif %}
    - require:
      - sls: common.repositories
      - pkg: java
