# The groups and apps that pillar declares, marathon:groups and marathon:apps, brought to Marathon: once for a cluster, on any node that
# reaches it (orchestration.apps sees to that). No part of `marathon`, which installs it.
#
# Try it:  salt 'lxdev01' state.apply marathon.apps test=True

{%- from "marathon/map.jinja" import marathon with context %}
{%- set deployment = marathon.deployment %}
{%- set groups = dict(marathon.groups.items() | rejectattr(1, 'none')) %}
{#- Where they stand in pillar: there may be secrets in them, and arguments of states are logged. -#}
{%- set apps = {} %}
{%- for name, definition in marathon.apps.items() if definition is not none %}
{%- do apps.update({name: definition if definition is string else 'pillar:marathon:apps:' ~ name}) %}
{%- endfor %}
{%- set no_groups = marathon.groups.items() | selectattr(1, 'none') | map('first') | list %}
{%- set no_apps = marathon.apps.items() | selectattr(1, 'none') | map('first') | list %}

include:
  - common.guard
{%- if not marathon.groups and not marathon.apps and not deployment.purge %}

marathon-apps-undeclared:
  test.nop:
    - name: 'marathon:apps and marathon:groups declare nothing'
{%- endif %}
{%- if groups %}

marathon-groups:
  marathon.group_present:
    - names:
{%- for name, definition in groups.items() %}
      - {{ name | json }}: [{{ definition | json(sort_keys=False) }}]
{%- endfor %}
    - force: {{ deployment.force }}
    - wait: {{ deployment.wait }}
    - timeout: {{ deployment.timeout }}
    - wait_for_lock: {{ deployment.wait_for_lock }}
{%- endif %}
{%- if apps or deployment.purge %}

marathon-apps:
  marathon.apps_present:
    - apps: {{ apps | json(sort_keys=False) }}
    - mode: {{ deployment.mode }}
    - instances_managed: {{ deployment.instances_managed }}
    - purge: {{ deployment.purge }}
    - owner: {{ deployment.owner | json }}
    - force: {{ deployment.force }}
    - wait: {{ deployment.wait }}
    - timeout: {{ deployment.timeout }}
    - rollback: {{ deployment.rollback }}
    - wait_for_lock: {{ deployment.wait_for_lock }}
{%- endif %}
{%- if no_apps %}

marathon-apps-withdrawn:
  marathon.app_absent:
    - names: {{ no_apps | json }}
    - force: {{ deployment.force }}
    - wait: {{ deployment.wait }}
    - timeout: {{ deployment.timeout }}
    - wait_for_lock: {{ deployment.wait_for_lock }}
{%- endif %}
{%- if no_groups %}

marathon-groups-withdrawn:
  marathon.group_absent:
    - names: {{ no_groups | json }}
    - force: {{ deployment.force }}
    - wait: {{ deployment.wait }}
    - timeout: {{ deployment.timeout }}
    - wait_for_lock: {{ deployment.wait_for_lock }}
{%- endif %}
