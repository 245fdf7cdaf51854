# The files of Chronos: one for each option, its environment, its secrets and its unit.

{%- from "chronos/map.jinja" import chronos, tree with context %}
{%- from "mesos/credentials.jinja" import masters_know_credentials with context %}
{%- set plan = tree.run('chronos/plan.py', settings=chronos) %}

include:
  - chronos.package
{%- if chronos.mesos_authentication_secret and plan.authenticates %}
{{- masters_know_credentials('chronos', 'chronos:mesos_authentication_secret',
      'zk: chronos-path-stays', after='pkg: chronos-package') }}
{%- endif %}

chronos-path-stays:
  zk.path_stays:
    - name: chronos:options:zk_path
    - path: {{ (chronos.options.get('zk_path') or '/chronos/state') | json }}
    - files: [/etc/chronos/conf/zk_path]
    - configured_by: [/etc/systemd/system/chronos.service.d/salt.conf]
    - default: /chronos/state
    - require:
      - pkg: chronos-package

# After the package, which brings a file of its own: an .rpmnew of it would be an option.
chronos-flags:
  mesos.flags_managed:
    - name: /etc/chronos/conf
    - flags: {{ plan.flags | json }}
    - environment: {{ (plan.variables.keys() | list + plan.secrets.keys() | list) | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - zk: chronos-path-stays

chronos-environment:
  file.managed:
    - name: /etc/sysconfig/chronos
    - source: salt://common/files/environment
    - template: jinja
    - context:
        sls: chronos.config
        variables: {{ plan.variables | json }}
    - reads: [salt://common/formats.jinja]
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: chronos-package

# Chronos takes the whole second file as the secret, so there is neither a comment nor a line break
# in it. It is empty if there is no secret.
chronos-secrets:
  file.managed:
    - names:
      - /etc/chronos/secrets:
        - source: salt://common/files/secrets
      - /etc/chronos/mesos-authentication-secret:
        - source: salt://chronos/files/mesos-authentication-secret
    - template: jinja
    - context:
        sls: chronos.config
        formula: chronos
    - reads: [salt://common, salt://chronos]
    - user: root
    - group: root
    - mode: '0600'
    - show_changes: False
    - require:
      - pkg: chronos-package

chronos-unit:
  file.managed:
    - name: /etc/systemd/system/chronos.service.d/salt.conf
    - source: salt://common/files/unit.conf
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        sls: chronos.config
        service:
          # The JVM exits with 143 on SIGTERM: a stop is no failure.
          SuccessExitStatus: 143
          EnvironmentFile: -/etc/chronos/secrets
          LimitNOFILE: {{ chronos.open_files | json }}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
