# The package of both daemons. Marathon and Chronos need it as well: they load its libmesos.so.

{%- from "mesos/map.jinja" import mesos, releases, vendor with context %}
{%- set node = salt['slsutil.renderer']('salt://common/settings.py', releases=releases) %}

include:
  - common.repositories
{%- for name, daemon in vendor.items() if 'mesos-' ~ name not in node.roles %}
{%- set role = 'mesos-' ~ name %}

# The package enables both units whenever it is installed or upgraded. It cannot enable a masked
# one. The mask can come before the package.
{{ role }}-stopped:
  service.dead:
    - name: {{ daemon.unit }}
    - enable: False

{{ role }}-masked:
  service.masked:
    - name: {{ daemon.unit }}
    - require:
      - service: {{ role }}-stopped
{%- endfor %}

mesos-package:
  pkg.installed:
    - name: mesos
    - version: {{ (mesos.version ~ ('-' ~ mesos.release if mesos.release else '')) | json }}
    - require:
      - sls: common.repositories
