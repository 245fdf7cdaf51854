# Keep the agent running. Its tasks survive a restart (KillMode=process), and the agent finds them
# again. It is not restarted while somebody keeps it out of service.

{%- from "mesos/map.jinja" import mesos, tree, vendor with context %}
{%- from "mesos/service.jinja" import own_url, service with context %}
{%- from "mesos/agent.jinja" import agent with context %}
{%- set url = own_url(mesos.slave.flags, 5051) %}
{%- set ready = {'mesos.agent_available': {'agent': url} } %}
{%- set peers = {'mesos.leader_available': {} } %}

include:
  - mesos.config
  - mesos.slave.config
{{ service('slave', ready, peers, agent) }}
