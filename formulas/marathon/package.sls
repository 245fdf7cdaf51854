# Marathon, Java, and the package of Mesos: Marathon loads its libmesos.so, but does not require it.

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
    - version: {{ (marathon.version ~ ('-' ~ marathon.release if marathon.release else '')) | json }}
{%- endif %}
    - require:
      - sls: common.repositories
      - pkg: java
      - pkg: mesos-package
      - sls: marathon.config
