# On a node with Marathon: the formula; then there is a leader, and it answers through this node.

{%- from "marathon/map.jinja" import marathon with context %}

include:
  - marathon

marathon-answers:
  marathon.available:
    - timeout: {{ pillar.get('timeout', 120) }}
    - url: http://{{ pillar.topology.address }}:{{ marathon.http_port }}
    - require:
      - sls: marathon
