# The files of mesos-master: one for each flag, one for each secret that a flag names, its
# environment and its unit.

{%- from "mesos/map.jinja" import mesos, tree, vendor with context %}
{%- from "mesos/config.jinja" import config with context %}
{%- from "mesos/service.jinja" import own_url with context %}
{%- set flags = mesos.master.flags %}

include:
  - mesos.package
{%- if flags.work_dir and flags.quorum and flags.get('registry') != 'in_memory' %}

# Before its flags are written, which lets the package's unit start it. The flags are in a macro
# that is the agent's as well, so they do not require this there.
mesos-master-log-stays:
  mesos.master_log_stays:
    - name: {{ flags.work_dir | json }}
    - record: /etc/mesos/master-record
    - quorum: {{ flags.quorum | int }}
    - log_lost: {{ mesos.master.log_lost | json }}
    - member: {{ own_url(flags, 5050) | json }}
    - flags: {{ vendor['master'].flags }}
    - require:
      - pkg: mesos-package
    - require_in:
      - mesos: mesos-master-flags
{%- endif %}
{%- set demands = {
      'agents': flags.get('authenticate_agents') is sameas true,
      'frameworks': flags.get('authenticate_frameworks') is sameas true} %}
{%- if (demands.agents or demands.frameworks) and tree.settings('common').restarts.rolling %}

# Before the first file of the daemon is written.
mesos-master-peers-authenticate:
  mesos.peers_authenticate:
    - name: mesos:master:flags
    - agents: {{ demands.agents }}
    - frameworks: {{ demands.frameworks }}
    - require:
      - pkg: mesos-package
    - require_in:
      - mesos: mesos-master-secrets
{%- endif %}
{{ config('master') }}
