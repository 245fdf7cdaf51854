# The files of mesos-master: one for each flag, one for each secret that a flag names, its
# environment and its unit.

{%- from "mesos/config.jinja" import config with context %}

include:
  - mesos.package
{{ config('master') }}
