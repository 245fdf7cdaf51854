# Marathon, Java, and the package of Mesos for its libmesos.so, which Marathon's does not ask for.

{%- from "marathon/map.jinja" import marathon with context %}

include:
  - common.repositories
  - common.java
  - mesos.package
  - marathon.config

marathon-package:
  pkg.installed:
    - name: marathon
{%- if marathon.version != 'installed' %}
    - version: '{{ marathon.version }}{{ "-" ~ marathon.release if marathon.release else "" }}'
{%- endif %}
    - require:
      - sls: common.repositories
      - pkg: java
      - pkg: mesos-package
      - sls: marathon.config
