# What Chronos reads: a file for each option, its environment and its secrets.

{%- from "chronos/map.jinja" import chronos with context %}
{%- set plan = salt['slsutil.renderer']('salt://chronos/plan.py', default_renderer='py', settings=chronos) %}

include:
  - chronos.package

# After the package: it brings a file of its own, and .rpmnew of it would be an option.
chronos-flags:
  mesos.flags_managed:
    - name: /etc/chronos/conf
    - flags: {{ plan.flags | json }}
    - environment: {{ (plan.variables.keys() | list + plan.secrets.keys() | list) | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: chronos-package

chronos-environment:
  file.managed:
    - name: /etc/sysconfig/chronos
    - source: salt://chronos/files/environment
    - template: jinja
    - context:
        variables: {{ plan.variables | json }}
    - reads: [salt://mesos/systemd.jinja]
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: chronos-package

# Read whole by the program, which takes a newline for a part of the secret: hence the file has none, and no comment. It is
# empty if there is no secret.
chronos-secrets:
  file.managed:
    - names:
      - /etc/chronos/secrets:
        - source: salt://chronos/files/secrets
      - /etc/chronos/mesos-authentication-secret:
        - source: salt://chronos/files/mesos-authentication-secret
    - template: jinja
    - reads: [salt://chronos, salt://mesos/systemd.jinja]
    - user: root
    - group: root
    - mode: '0600'
    - show_changes: False
    - require:
      - pkg: chronos-package

chronos-unit:
  file.managed:
    - name: /etc/systemd/system/chronos.service.d/salt.conf
    - source: salt://chronos/files/unit.conf
    - template: jinja
    - context:
        open_files: {{ chronos.open_files | json }}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
