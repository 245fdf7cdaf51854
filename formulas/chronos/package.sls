# Chronos, Java, and the package of Mesos: Chronos loads its libmesos.so, but does not require it.

{%- from "chronos/map.jinja" import chronos with context %}
{%- from "chronos/ready.jinja" import peers with context %}

include:
  - common.repositories
  - common.java
  - mesos.package

{%- set version = chronos.version ~ ('-' ~ chronos.release if chronos.release else '') %}

chronos-turn:
  daemon.turn:
    - name: chronos
    - package: chronos
    - version: {{ version | json }}
    - peers: {{ peers | json }}

chronos-package:
  pkg.installed:
    - name: chronos
    - version: {{ version | json }}
    - require:
      - daemon: chronos-turn
      - sls: common.repositories
      - pkg: java
      - pkg: mesos-package
