# On a node with Marathon: wait until the version in pillar leads. It has migrated the store then.
# orchestration.upgrade applies it.

{%- from "marathon/map.jinja" import marathon, tree with context %}
{%- from "marathon/ready.jinja" import own_url with context %}
{%- from "orchestration/timeout.jinja" import timeout with context %}
{%- set plan = tree.run('marathon/plan.py', settings=marathon) %}

marathon-leads-with-its-version:
  marathon.leader_has_version:
    - version: {{ plan.version | join('.') | json }}
    - url: {{ own_url }}
    - timeout: {{ timeout }}
