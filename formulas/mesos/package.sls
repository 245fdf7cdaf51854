# The package of both daemons. Marathon and Chronos need it as well: they load its libmesos.so.

{%- from "mesos/map.jinja" import mesos, tree, vendor with context %}
{%- from "mesos/agent.jinja" import agent with context %}

include:
  - common.repositories
{%- for name, daemon in vendor.items() if 'mesos-' ~ name not in tree.node.roles %}
{%- set role = 'mesos-' ~ name %}

# The package enables both units whenever it is installed or upgraded. It cannot enable a masked
# one. The mask can come before the package.
{{ role }}-masked:
  withdrawn.stopped:
    - name: {{ daemon.unit }}
    - daemons:
      - {role: {{ role }}, unit: {{ daemon.unit }}}
    - mask: True
{%- if name == 'master' and mesos.url and pillar.get('topology') %}
    - masters: {{ dict(url=mesos.url, quorum_file=daemon.flags ~ '/quorum') | json }}
{%- endif %}
{%- endfor %}

{%- set version = mesos.version ~ ('-' ~ mesos.release if mesos.release else '') %}
{%- set units = [] %}
{%- for role, unit in {
      'mesos-master': vendor.master.unit, 'mesos-slave': vendor.slave.unit,
      'marathon': 'marathon', 'chronos': 'chronos'}.items() if role in tree.node.roles %}
{%- do units.append(unit) %}
{%- endfor %}

# Marathon and Chronos have its library loaded.
mesos-turn:
  daemon.turn:
    - package: mesos
    - version: {{ version | json }}
    - units: {{ units | json }}
{%- if agent %}
    - agent: {{ agent | json }}
{%- endif %}

mesos-package:
  pkg.installed:
    - name: mesos
    - version: {{ version | json }}
    - require:
      - daemon: mesos-turn
      - sls: common.repositories
