# Keep the agent running. Its tasks survive a restart (KillMode=process), and the agent finds them
# again.

{%- from "mesos/map.jinja" import mesos with context %}
{%- from "mesos/service.jinja" import service, own_url with context %}

include:
  - mesos.config
  - mesos.slave.config
{{ service('slave',
     ready={'mesos.agent_available': {'agent': own_url(mesos.slave.flags, 5051)}},
     peers={'mesos.leader_available': {}}) }}
