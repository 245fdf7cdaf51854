# The end of a run on a node of a cluster: give back the turn that a restart has taken. daemon.running
# and daemon.turn take it.

{%- if salt['pillar.get']('common:restarts:turn') %}

turn-returned:
  daemon.turn_returned:
    - order: last
{%- endif %}
