# What Marathon reads. Before the package, as one of its eras starts Marathon when it is installed; none brings anything that
# would stand beside it and be read.

{%- from "marathon/map.jinja" import marathon with context %}
{%- set plan = salt['slsutil.renderer']('salt://marathon/plan.py', default_renderer='py', settings=marathon) %}

include:
  - common.repositories

marathon-leftovers:
  file.absent:
    - names: {{ plan.leftovers | json }}
{%- if plan.flags %}

marathon-flags:
  mesos.flags_managed:
    - name: /etc/marathon/conf
    - flags: {{ plan.flags | json }}
    - environment: {{ (plan.variables.keys() | list + plan.secrets.keys() | list) | json }}
    - user: root
    - group: root
    - mode: '0644'
{%- endif %}

marathon-environment:
  file.managed:
    - name: {{ plan.environment }}
    - source: salt://marathon/files/environment
    - template: jinja
    - context:
        variables: {{ plan.variables | json }}
    - reads: [salt://mesos/systemd.jinja]
    - user: root
    - group: root
    - mode: '0644'

marathon-secrets:
  file.managed:
    - name: /etc/marathon/secrets
    - source: salt://marathon/files/secrets
    - template: jinja
    - reads: [salt://marathon, salt://mesos/systemd.jinja]
    - user: root
    - group: root
    - mode: '0600'
    - show_changes: False
    - makedirs: True
    - dir_mode: '0755'

marathon-unit:
  file.managed:
    - name: /etc/systemd/system/marathon.service.d/salt.conf
    - source: salt://marathon/files/unit.conf
    - template: jinja
    - context:
        open_files: {{ marathon.open_files | json }}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
