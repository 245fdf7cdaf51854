# Keep dockerd running. It starts after the firewall, whose reload takes Docker's chains with it.

{%- from "docker/map.jinja" import docker with context %}

include:
  - common.firewall
  - docker.package
  - docker.config

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
