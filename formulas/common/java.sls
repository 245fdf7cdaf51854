# Java, by name and before anything that needs it. Included by the formulas whose programs run on it.

{%- from "common/map.jinja" import common with context %}

include:
  - common.repositories

java:
  pkg.installed:
    - name: {{ common.java.package }}
    - require:
      - sls: common.repositories
