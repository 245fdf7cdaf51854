# Keep the agent running. Its tasks survive a restart (KillMode=process), and the agent finds them
# again.

{%- from "mesos/map.jinja" import mesos, vendor with context %}
{%- from "mesos/service.jinja" import own_url, service with context %}
{%- set url = own_url(mesos.slave.flags, 5051) %}
{%- set ready = {'mesos.agent_available': {'agent': url} } %}
{%- set peers = {'mesos.leader_available': {} } %}

include:
  - mesos.config
  - mesos.slave.config
{{ service('slave', ready, peers) }}
