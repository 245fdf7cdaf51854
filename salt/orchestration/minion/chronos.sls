# On a node with Chronos: apply the formula, then wait until this node's Chronos responds and has a
# leader.

{%- from "chronos/map.jinja" import chronos with context %}
{%- from "orchestration/timeout.jinja" import timeout with context %}

include:
  - chronos

chronos-answers:
  chronos.available:
    - timeout: {{ timeout }}
    - url: http://{{ pillar.topology.address }}:{{ chronos.http_port }}
    - require:
      - sls: chronos
