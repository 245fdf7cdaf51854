# Java, by the name of the package. Included by the formulas that need it.

{%- from "common/map.jinja" import common with context %}

include:
  - common.repositories

java:
  pkg.installed:
    - name: {{ common.java.package | json }}
    - require:
      - sls: common.repositories
