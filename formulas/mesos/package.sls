# The package of both daemons. Marathon and Chronos need it as well: they load its libmesos.so.

{%- from "mesos/map.jinja" import mesos, agent with context %}
{%- set roles = grains.get('roles') or [] %}
{%- set roles = [roles] if roles is string else roles %}

include:
  - common.repositories
{%- for role, unit in {'mesos-master': 'mesos-master', 'mesos-slave': agent.unit}.items() if role not in roles %}

# The package enables both units whenever it is installed or upgraded; a masked one it cannot. A mask can be there before the
# package is.
{{ role }}-stopped:
  service.dead:
    - name: {{ unit }}
    - enable: False

{{ role }}-masked:
  service.masked:
    - name: {{ unit }}
    - require:
      - service: {{ role }}-stopped
{%- endfor %}

mesos-package:
  pkg.installed:
    - name: mesos
    - version: '{{ mesos.version }}{{ "-" ~ mesos.release if mesos.release else "" }}'
    - require:
      - sls: common.repositories
