# The groups and apps that pillar declares in marathon:groups and marathon:apps. Applied once for a
# cluster, on any node that reaches Marathon: see orchestration.apps. `marathon`, which installs
# Marathon, does not include this.
#
# Try it:  salt 'lxdev01' state.apply marathon.apps test=True

{%- from "marathon/map.jinja" import marathon with context %}
{%- set deployment = marathon.deployment %}
{%- set groups = dict(marathon.groups.items() | rejectattr(1, 'none')) %}
{#- Arguments of states are logged, and a definition may have a secret: use its path in pillar. -#}
{%- set apps = {} %}
{%- for name, definition in marathon.apps.items() if definition is not none %}
{%- set is_file = definition is string %}
{%- do apps.update({name: definition if is_file else 'pillar:marathon:apps:' ~ name}) %}
{%- endfor %}
{%- set absent_groups = marathon.groups.items() | selectattr(1, 'none') | map('first') | list %}
{%- set absent_apps = marathon.apps.items() | selectattr(1, 'none') | map('first') | list %}
{%- macro waiting() %}
    - force: {{ deployment.force | json }}
    - wait: {{ deployment.wait | json }}
    - timeout: {{ deployment.timeout | json }}
    - wait_for_lock: {{ deployment.wait_for_lock | json }}
{%- endmacro %}

include:
  - common.validate
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
{{- waiting() }}
{%- endif %}
{%- if apps or deployment.purge %}

marathon-apps:
  marathon.apps_present:
    - apps: {{ apps | json(sort_keys=False) }}
    - mode: {{ deployment.mode | json }}
    - instances_managed: {{ deployment.instances_managed | json }}
    - purge: {{ deployment.purge | json }}
    - owner: {{ deployment.owner | json }}
    - force: {{ deployment.force | json }}
    - wait: {{ deployment.wait | json }}
    - timeout: {{ deployment.timeout | json }}
    - rollback: {{ deployment.rollback | json }}
    - wait_for_lock: {{ deployment.wait_for_lock | json }}
{%- endif %}
{%- if absent_apps %}

marathon-apps-withdrawn:
  marathon.app_absent:
    - names: {{ absent_apps | json }}
{{- waiting() }}
{%- endif %}
{%- if absent_groups %}

marathon-groups-withdrawn:
  marathon.group_absent:
    - names: {{ absent_groups | json }}
{{- waiting() }}
{%- endif %}
