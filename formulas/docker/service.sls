# Keep dockerd running. It starts after the firewall, whose reload takes Docker's chains with it.

{%- from "docker/map.jinja" import docker with context %}

include:
  - common.firewall
  - docker.package
  - docker.config

# systemd keeps the old unit in mind when a package brings another one that is no newer than it.
docker-unit-reload:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - pkg: docker-package
      - file: docker-unit

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
