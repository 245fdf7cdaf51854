# Upgrade ZooKeeper, Mesos, Marathon and Chronos to the versions in pillar, where the nodes do not
# have them yet: in this order, and one control node at a time.
#
#   salt-run state.orchestrate orchestration.upgrade test=True
#   salt-run -l info state.orchestrate orchestration.upgrade
#
#   1  the cluster is backed up (cluster.backup)
#   2  the ZooKeeper servers, the leader last
#   3  the Mesos masters, the leader last, and then the agents in turns
#   4  Marathon. If the new version migrates the store: all but the leader are stopped; the new
#      version is started beside it; the leader is stopped; the new version leads; the others follow
#   5  Chronos, the leader last. Both restart where only the library of Mesos is new
#
# More keys of pillar:
#
#   components: [marathon]         only these
#   timeout: 300                   seconds that each readiness check waits, default 120
#   backup: {directory: /srv/backups, keep: 14, timeout: 60}    options of cluster.backup
#   backup: false                  no backup
#   skip: [lxcc03.devops.test]     nodes to leave out, ids or globs. Their daemons must be stopped
#                                  for good
#   cluster: NAME                  the cluster, if the Salt master has several
#
# A step that fails stops the run. Run it again to continue, whichever step it was. A cluster that
# has all versions is not changed.

{%- from "orchestration/topology.jinja" import cluster, errors, opening, skip with context %}
{%- from "orchestration/timeout.jinja" import timeout with context %}
{%- macro note(name, text) %}

{{ name | json }}:
  test.configurable_test_state:
    - changes: False
    - comment: {{ text | json }}
{%- endmacro %}
{%- set plan = {'steps': [], 'notes': []} %}
{%- if not errors %}
{%- if 'cluster.upgrade_plan' in salt['sys.list_runner_functions']('cluster') %}
{%- do plan.update(salt['saltutil.runner']('cluster.upgrade_plan', kwarg={
      'components': pillar.get('components'), 'skip': skip, 'backup': pillar.get('backup'),
      'cluster': cluster})) %}
{%- do errors.extend(plan.errors) %}
{%- else %}
{%- do errors.append(
      'The Salt master has no runner cluster.upgrade_plan. Run: salt-run saltutil.sync_runners') %}
{%- endif %}
{%- endif %}
{{- opening() }}
{%- if not errors %}
{%- for step in plan.steps %}

{{ step.name | json }}:
{%- if 'backup' in step %}
  salt.runner:
    - name: cluster.backup
{%- for option, value in step.backup | dictsort %}
    - {{ option }}: {{ value | json }}
{%- endfor %}
{%- else %}
  salt.state:
    - tgt: {{ step.nodes | json }}
    - tgt_type: list
    - sls: {{ step.sls | json }}
    - pillar: {{ dict(step.pillar, timeout=timeout) | json }}
{%- endif %}
    - failhard: True
{%- endfor %}
{%- for text in plan.notes %}
{{- note(text, 'Upgrade it when it is back: run this again.') }}
{%- endfor %}
{%- if plan.steps %}
{{- note('What to do next', 'Verify that apps and jobs run: salt-run state.orchestrate '
      ~ 'orchestration.verify. See what else differs from pillar: salt-run cluster.drift') }}
{%- else %}
{{- note('All nodes have the versions in pillar', 'There is nothing to upgrade.') }}
{%- endif %}
{%- endif %}
