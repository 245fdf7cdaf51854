# The clock: chrony.

{%- from "common/map.jinja" import common with context %}

include:
  - common.repositories
{%- if common.time.enabled %}

time-package:
  pkg.installed:
    - name: chrony
    - require:
      - sls: common.repositories

time-config:
  file.managed:
    - name: /etc/chrony.conf
    - source: salt://common/files/chrony.conf
    - template: jinja
    - context:
        time: {{ common.time | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: time-package

time-service:
  service.running:
    - name: chronyd
    - enable: True
    - watch:
      - pkg: time-package
      - file: time-config
{%- endif %}
