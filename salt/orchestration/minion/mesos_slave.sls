# On a Mesos slave: Docker if it has that role, the formula; then the leading master counts this agent among the active ones.

include:
{%- if 'docker' in pillar.topology.roles %}
  - docker
{%- endif %}
  - mesos.slave

this-agent-is-registered:
  mesos.agents_registered:
    - timeout: {{ pillar.get('timeout', 120) }}
    - agents:
      - {{ pillar.topology.name }}
    - require:
      - sls: mesos.slave
