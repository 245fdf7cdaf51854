# Keep the master running, and restart it after a change, in turns with the others: the one that
# leads goes last.

{%- from "mesos/map.jinja" import mesos, vendor with context %}
{%- from "mesos/service.jinja" import own_url, service with context %}
{%- set flags = mesos.master.flags %}
{%- set member = {'url': mesos.url, 'member': own_url(flags, 5050)} %}
{%- set has_peers = mesos.url is sequence and mesos.url is not string and mesos.url | length > 1 %}
{%- set ready = {'mesos.leader_available': member} %}
{%- set peers = {} %}
{%- if has_peers %}
{%- do peers.update({'mesos.quorum_without_member': dict(member, quorum=flags.quorum | int)}) %}
{%- endif %}

include:
  - mesos.config
  - mesos.master.config
{{ service('master', ready, peers) }}

# On another disk than the log, see mesos.master_log_stays.
mesos-master-record:
  file.managed:
    - name: /etc/mesos/master-record
    - contents: '# Managed by Salt (mesos.master.service). A master was started on this host.'
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - daemon: mesos-master-service
