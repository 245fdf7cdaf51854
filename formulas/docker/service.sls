# Keep dockerd running. It starts after the firewall, because a reload of firewalld removes the
# chains of Docker.

{%- from "docker/map.jinja" import docker with context %}
{%- from "common/systemd.jinja" import unit_reload %}

include:
  - common.firewall
  - docker.package
  - docker.config
{{ unit_reload('docker', 'docker-package', 'docker-unit') }}

docker-service:
  service.running:
    - name: docker
    - enable: True
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
