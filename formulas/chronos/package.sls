# Chronos, Java, and the package of Mesos: Chronos loads its libmesos.so, but does not require it.

{%- from "chronos/map.jinja" import chronos with context %}

include:
  - common.repositories
  - common.java
  - mesos.package

chronos-package:
  pkg.installed:
    - name: chronos
    - version: {{ (chronos.version ~ ('-' ~ chronos.release if chronos.release else '')) | json }}
    - require:
      - sls: common.repositories
      - pkg: java
      - pkg: mesos-package
