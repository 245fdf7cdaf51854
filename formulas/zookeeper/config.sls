# The files of ZooKeeper: its peers (zoo.cfg), its id (myid), memory and log.

{%- from "zookeeper/map.jinja" import zookeeper, package with context %}

include:
  - zookeeper.package

# No package creates it before myid is needed: zkServer.sh creates it when it starts, and then fails
# without myid.
zookeeper-data:
  file.directory:
    - names:
      - {{ zookeeper.data_dir | json }}
{%- for directory in [zookeeper.data_log_dir, zookeeper.log_dir] if directory %}
      - {{ directory | json }}
{%- endfor %}
    - user: {{ package.user }}
    - group: {{ package.user }}
    - mode: '0750'
    - makedirs: True
    - require:
      - pkg: zookeeper-package
{%- if zookeeper.myid %}

# An existing id is never changed, only a missing one is written.
zookeeper-myid-stays:
  zk.myid_stays:
    - name: {{ (zookeeper.data_dir ~ '/myid') | json }}
    - myid: {{ zookeeper.myid | json }}
    - require:
      - file: zookeeper-data

zookeeper-myid:
  file.managed:
    - name: {{ (zookeeper.data_dir ~ '/myid') | json }}
    - contents: {{ zookeeper.myid | string | json }}
    - user: {{ package.user }}
    - group: {{ package.user }}
    - mode: '0644'
    - require:
      - zk: zookeeper-myid-stays
{%- endif %}

zookeeper-config:
  file.managed:
    - name: {{ package.conf }}/zoo.cfg
    - source: salt://zookeeper/files/zoo.cfg
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        zookeeper: {{ zookeeper | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: zookeeper-package

zookeeper-environment:
  file.managed:
    - name: {{ package.environment }}
    - source: salt://zookeeper/files/{{ package.template }}
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        zookeeper: {{ zookeeper | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: zookeeper-package

# One for each logging library: log4j.properties up to ZooKeeper 3.7, and logback.xml from 3.8 on.
# The first is a condition of the unit in any version: without it systemd does not start the server,
# and reports no error.
zookeeper-log:
  file.managed:
    - names:
      - {{ package.conf }}/log4j.properties:
        - source: salt://zookeeper/files/log4j.properties
      - {{ package.conf }}/logback.xml:
        - source: salt://zookeeper/files/logback.xml
    - template: jinja
    - context:
        zookeeper: {{ zookeeper | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: zookeeper-package
