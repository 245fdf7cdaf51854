# The ZooKeeper server. Its package enables the unit, but does not start or restart it.

{%- from "zookeeper/map.jinja" import zookeeper, package, tree with context %}

include:
  - common.repositories
  - common.java

{%- set version = zookeeper.version or '*' %}
{%- if zookeeper.version and zookeeper.release %}
{%- set version = version ~ '-' ~ zookeeper.release %}
{%- endif %}

{%- if zookeeper.version %}
{%- set step = tree.run('zookeeper/steps.py', version=zookeeper.version | string) %}

zookeeper-step:
  zk.step_allowed:
    - name: {{ zookeeper.version | string | json }}
    - package: {{ zookeeper.package | json }}
    - since: {{ step.since | json }}
    - stops: {{ step.stops | json }}
    - data_dir: {{ zookeeper.data_dir | json }}
    - data_log_dir: {{ zookeeper.data_log_dir | json }}
    - trust: {{ (zookeeper.options.get('snapshot.trust.empty') | string | lower == 'true') | json }}
{%- endif %}

zookeeper-turn:
  daemon.turn:
    - name: {{ package.service }}
    - package: {{ zookeeper.package | json }}
    - version: {{ version | json }}
{%- if zookeeper.version %}
    - require:
      - zk: zookeeper-step
{%- endif %}

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
