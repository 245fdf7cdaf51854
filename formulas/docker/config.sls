# /etc/docker/daemon.json, proxy, and the files in /etc/sysconfig that the package docker reads as
# well.

{%- from "docker/map.jinja" import docker with context %}

include:
  - docker.package

# JSON has no comments, so the file does not say that Salt manages it.
docker-config:
  file.managed:
    - name: /etc/docker/daemon.json
    - source: salt://docker/files/daemon.json
    - template: jinja
    - context:
        options: {{ docker.options | json }}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
    - require:
      - pkg: docker-package

# A URL may have a password, so it is neither in the unit, which `systemctl show` shows to everyone,
# nor in the arguments of a state.
docker-proxy:
  file.managed:
    - name: /etc/sysconfig/docker-proxy
    - source: salt://docker/files/proxy
    - template: jinja
    - reads: [salt://common, salt://docker]
    - user: root
    - group: root
    - mode: '0600'
    - show_changes: False
    - require:
      - pkg: docker-package

docker-unit:
  file.managed:
    - name: /etc/systemd/system/docker.service.d/salt.conf
    - source: salt://docker/files/unit.conf
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
    - require:
      - pkg: docker-package
{%- if docker.package == 'docker' %}

docker-flags:
  file.managed:
    - name: /etc/sysconfig/docker
    - source: salt://docker/files/sysconfig
    - template: jinja
    - context:
        flags: {{ docker.flags | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: docker-package

# docker-storage-setup.service would write --storage-driver here at the next boot, in addition to
# daemon.json.
docker-storage:
  file.managed:
    - names:
      - /etc/sysconfig/docker-storage:
        - contents: |
            # Managed by Salt (docker.config).
            DOCKER_STORAGE_OPTIONS=
      - /etc/sysconfig/docker-storage-setup:
        - contents: |
            # Managed by Salt (docker.config).
            STORAGE_DRIVER=
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: docker-package
{%- endif %}
