# The files of ZooKeeper: its peers (zoo.cfg), its id (myid), memory and log.

{%- from "zookeeper/map.jinja" import zookeeper, package, tree with context %}
{%- macro ensemble() %}
    - config: {{ package.conf }}/zoo.cfg
    - servers: {{ zookeeper.servers | json }}
    - observers: {{ zookeeper.observers | json }}
    - myid: {{ zookeeper.myid | json }}
    - port: {{ zookeeper.client_port | json }}
    - data_log_dir: {{ zookeeper.data_log_dir | json }}
{%- endmacro %}

include:
  - zookeeper.package

# Check before the directory is created: a new directory would hide that a disk is not mounted.
zookeeper-data-stays:
  zk.data_stays:
    - name: {{ zookeeper.data_dir | json }}
    - record: {{ package.conf }}/salt-record
    - data_lost: {{ zookeeper.data_lost | json }}
{{- ensemble() }}
    - require:
      - pkg: zookeeper-package

# No package creates the data directory. zkServer.sh does when it starts, but then fails without
# myid.
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
      - zk: zookeeper-data-stays
{%- if zookeeper.myid %}

# A missing id is written. An existing one is never changed.
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

# Check before the list of servers is written. The package enables the unit, so a server that has
# the list starts at the next boot.
zookeeper-may-join:
  zk.may_join:
    - name: {{ zookeeper.data_dir | json }}
{{- ensemble() }}
    # Enough to install the new servers, and to restart the others one after another.
    - timeout: {{ [600, tree.settings('common').restarts.turn_timeout | int(600)] | min }}
    - require:
      - file: zookeeper-data
{%- if zookeeper.myid %}
      - file: zookeeper-myid
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
      - zk: zookeeper-may-join

# systemd does not start the server without its disks.
zookeeper-unit:
  file.managed:
    - name: /etc/systemd/system/{{ package.service }}.service.d/salt.conf
    - source: salt://common/files/unit.conf
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        sls: zookeeper.config
        service:
          # The JVM exits with 143 on SIGTERM: a stop is no failure.
          SuccessExitStatus: 143
        mounts: {{ [zookeeper.data_dir, zookeeper.data_log_dir] | select | list | json }}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True

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
