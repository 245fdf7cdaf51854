# Keep dockerd running. It starts after the firewall, because a reload of firewalld removes the
# chains of Docker.

{%- from "docker/map.jinja" import docker, package, tree with context %}
{%- from "mesos/agent.jinja" import agent with context %}
{%- from "common/systemd.jinja" import unit_reload %}

include:
  - common.firewall
  - docker.package
  - docker.config
{{ unit_reload('docker', 'docker-package', 'docker-unit') }}

docker-service:
  daemon.running:
    - name: docker
    - reads:
      - /etc/sysconfig/docker-proxy
{%- if docker.package == 'docker' %}
      - /etc/sysconfig/docker
      - /etc/sysconfig/docker-storage
      - /etc/sysconfig/docker-storage-setup
{%- endif %}
    - reload:
        file: /etc/docker/daemon.json
        options: {{ docker.options | json }}
        keys: {{ package.reload_options | json }}
    - drain: {{ agent | json }}
    - require:
      - sls: common.firewall
      - module: docker-unit-reload
    - watch:
      - pkg: docker-package
      - file: docker-config
      - file: docker-proxy
      - file: docker-unit
{%- if docker.package == 'docker' %}
      - file: docker-flags
      - file: docker-storage
{%- endif %}
