# Stop and disable the daemons of roles that the node no longer has. Nothing is deleted, and a role
# that is given back finds its files and its data. Only the log of a Mesos master is renamed: the
# master then copies that of the others.
#
# Only what this tree has installed: withdrawn.py lists the files of each daemon that show it.
#
# Try it:  salt 'lxdev01' state.apply common.withdrawn test=True

{%- set tree = salt['slsutil.renderer']('salt://common/tree.py') %}
{%- set withdrawn = tree.run('common/withdrawn.py') %}

include:
  - common.validate
  - common.turn
{%- if withdrawn.daemons %}

withdrawn-roles:
  withdrawn.stopped:
    - name: {{ withdrawn.roles | join(', ') | json }}
    # Enough for the servers that remain to take their turns.
    - timeout: 600
    - daemons:
{%- for daemon in withdrawn.daemons %}
      - {{ daemon | json }}
{%- endfor %}
{%- for kind in ['ensemble', 'masters'] if withdrawn[kind] %}
    - {{ kind }}: {{ withdrawn[kind] | json }}
{%- endfor %}
{%- endif %}
