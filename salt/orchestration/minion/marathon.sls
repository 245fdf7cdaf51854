# On a node with Marathon: apply the formula, then wait until this node's Marathon responds and has
# a leader.

{%- from "marathon/map.jinja" import marathon with context %}
{%- from "orchestration/timeout.jinja" import timeout with context %}

include:
  - marathon

marathon-answers:
  marathon.available:
    - timeout: {{ timeout }}
    - url: http://{{ pillar.topology.address }}:{{ marathon.http_port }}
    - require:
      - sls: marathon
