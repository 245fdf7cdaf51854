# Marathon, Java, and the package of Mesos: Marathon loads its libmesos.so, but does not require it.

{%- from "marathon/map.jinja" import marathon with context %}
{%- from "marathon/ready.jinja" import peers with context %}

include:
  - common.repositories
  - common.java
  - mesos.package
  - marathon.config

{%- set version = '*' %}
{%- if marathon.version != 'installed' %}
{%- set version = marathon.version ~ ('-' ~ marathon.release if marathon.release else '') %}
{%- endif %}

# The package restarts Marathon, or stops it.
marathon-turn:
  daemon.turn:
    - name: marathon
    - package: marathon
    - version: {{ version | json }}
    - peers: {{ peers | json }}

marathon-package:
  pkg.installed:
    - name: marathon
{%- if marathon.version != 'installed' %}
    - version: {{ version | json }}
{%- endif %}
    - require:
      - daemon: marathon-turn
      - sls: common.repositories
      - pkg: java
      - pkg: mesos-package
      - sls: marathon.config
