# On a Mesos agent: install and start Docker, if the node has that role, and the agent. Then wait
# until the leading master lists this agent as active.

{%- from "orchestration/timeout.jinja" import timeout with context %}

include:
{%- if 'docker' in pillar.topology.roles %}
  - docker
{%- endif %}
  - mesos.slave

this-agent-is-registered:
  mesos.agents_registered:
    - timeout: {{ timeout }}
    - agents:
      - {{ pillar.topology.name }}
    - require:
      - sls: mesos.slave
