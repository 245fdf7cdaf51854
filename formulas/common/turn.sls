# The end of a run on a node of a cluster: give back the turn that daemon.running or daemon.turn has
# taken.

{%- if salt['pillar.get']('common:restarts:turn') %}

turn-returned:
  daemon.turn_returned:
    - order: last
{%- endif %}
