# Keep the master running. It restarts as soon as its files change: apply this to several masters
# with `salt -b 1`, so that one of them can lead.

{%- from "mesos/service.jinja" import service %}

include:
  - mesos.config
  - mesos.master.config
{{ service('master', 'mesos-master') }}
