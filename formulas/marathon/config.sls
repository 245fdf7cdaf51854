# The files of Marathon. They come before the package, as the second generation of packages starts
# Marathon when it is installed. No package brings a file that would be read beside them. Before all
# of them comes the question whether the installed version can be replaced by this one: the old one
# goes on with the old files otherwise. orchestration.upgrade sets the pillar key marathon_upgrade
# when no other Marathon of an old version can get the lead.

{%- from "marathon/map.jinja" import marathon, tree with context %}
{%- from "marathon/ready.jinja" import zookeeper with context %}
{%- from "mesos/credentials.jinja" import masters_know_credentials with context %}
{%- set plan = tree.run('marathon/plan.py', settings=marathon) %}
{%- set store_path = (marathon.zk | string).split('/', 3)[3:] | join %}

include:
  - common.repositories
{%- if plan.version %}
{%- set version = plan.version | join('.') %}
{%- set step = tree.run('marathon/steps.py', version=version) %}
{%- set mesos = tree.run('mesos/frameworks.py', framework='marathon', version=version) %}

marathon-step:
  marathon.step_allowed:
    - name: {{ version | json }}
    - since: {{ step.since | json }}
    - before: {{ step.before | json }}
    - same_store: {{ step.same_store | json }}
    - stops: {{ step.stops | json }}
    - peers: {{ marathon.url | json }}
    - orchestrated: {{ pillar.get('marathon_upgrade', False) | json }}
    - mesos: {{ mesos | json }}
    - masters: {{ (pillar.get('mesos') or {}).get('url') | json }}

# The way back, if this version migrates the store.
marathon-store-saved:
  marathon.store_saved:
    - name: {{ ('/' ~ store_path) | json }}
    - version: {{ version | json }}
    - same_store: {{ step.same_store | json }}
    - zookeeper: {{ zookeeper | json }}
    - peers: {{ marathon.url | json }}
    - require:
      - marathon: marathon-step
{%- endif %}
{%- if marathon.mesos_authentication_secret and marathon.options.get('mesos_authentication') %}
{{- masters_know_credentials('marathon', 'marathon:mesos_authentication_secret',
      'zk: marathon-path-stays') }}
{%- endif %}

# Before the files of other generations are removed.
marathon-path-stays:
  zk.path_stays:
    - name: marathon:zk
    - path: {{ ('/' ~ store_path) | json }}
    - files: [/etc/marathon/conf/zk, /etc/default/marathon, /etc/marathon/secrets]
    - variable: MARATHON_ZK
    - configured_by: [/etc/systemd/system/marathon.service.d/salt.conf]
{%- if plan.version %}
    - require:
      - marathon: marathon-store-saved
{%- endif %}

marathon-leftovers:
  file.absent:
    - names: {{ plan.leftovers | json }}
    - require:
      - zk: marathon-path-stays
{%- if plan.flags %}

marathon-flags:
  mesos.flags_managed:
    - name: /etc/marathon/conf
    - flags: {{ plan.flags | json }}
    - environment: {{ (plan.variables.keys() | list + plan.secrets.keys() | list) | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - zk: marathon-path-stays
{%- endif %}

marathon-environment:
  file.managed:
    - name: {{ plan.environment }}
    - source: salt://common/files/environment
    - template: jinja
    - context:
        sls: marathon.config
        variables: {{ plan.variables | json }}
    - reads: [salt://common/formats.jinja]
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - zk: marathon-path-stays

marathon-secrets:
  file.managed:
    - name: /etc/marathon/secrets
    - source: salt://common/files/secrets
    - template: jinja
    - context:
        sls: marathon.config
        formula: marathon
    - reads: [salt://common, salt://marathon]
    - user: root
    - group: root
    - mode: '0600'
    - show_changes: False
    - makedirs: True
    - dir_mode: '0755'
    - require:
      - zk: marathon-path-stays

marathon-unit:
  file.managed:
    - name: /etc/systemd/system/marathon.service.d/salt.conf
    - source: salt://common/files/unit.conf
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        sls: marathon.config
        service:
          # The JVM exits with 143 on SIGTERM: a stop is no failure.
          SuccessExitStatus: 143
          EnvironmentFile: -/etc/marathon/secrets
          LimitNOFILE: {{ marathon.open_files | json }}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
    - require:
      - zk: marathon-path-stays
