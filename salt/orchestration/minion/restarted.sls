# On a node: restart daemons, and change nothing else. The pillar key `restart` has the `roles`, and
# `since`, in Unix seconds: what started earlier is restarted. With null, only what is stale is.
# orchestration.restart applies it.

{%- set tree = salt['slsutil.renderer']('salt://common/tree.py') %}
{%- set restart = pillar.get('restart', {}) %}

include:
  - common.validate
  - common.turn
{#- The arguments of a daemon are those of its formula, without the states that change its files. #}
{%- for role_name, role in tree.data('common/roles.yaml').items()
      if role_name in tree.node.roles and role_name in restart.roles %}
{%- set service = salt['slsutil.renderer'](
      'salt://' ~ role.sls | replace('.', '/') ~ '/service.sls') %}
{%- for id, functions in service.items() if 'daemon.running' in functions %}

{{ id }}:
  daemon.running:
{%- for argument in functions['daemon.running'] %}
{%- for name, value in argument.items() if name not in ['require', 'watch'] %}
    - {{ name }}: {{ value | json }}
{%- endfor %}
{%- endfor %}
    - since: {{ restart.since | json }}
{%- endfor %}
{%- endfor %}
