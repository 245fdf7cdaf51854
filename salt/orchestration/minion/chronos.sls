# On a node with Chronos: the formula; then there is a leader, and it answers through this node.

{%- from "chronos/map.jinja" import chronos with context %}

include:
  - chronos

chronos-answers:
  chronos.available:
    - timeout: {{ pillar.get('timeout', 120) }}
    - url: http://{{ pillar.topology.address }}:{{ chronos.http_port }}
    - require:
      - sls: chronos
