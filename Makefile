# The common tasks. Those about hosts call .venv/bin/lab, which has more commands.

TOPOLOGY = single
SALT = 3008
# DOOR is the old name of TRANSPORT.
TRANSPORT = $(or $(DOOR),minion)

.DEFAULT_GOAL := help
.PHONY: help up down status plan check unit hosts test lint docs bench

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10
	@echo "Variables: TOPOLOGY=$(TOPOLOGY) (or ha: eight hosts, or another of tests/topologies), SALT=$(SALT) (or 3006), TRANSPORT=$(TRANSPORT) (or ssh)"

up: .venv/.made ## hosts on this machine, Salt on them, roles, state.apply (root, Debian 12)
	.venv/bin/lab up --topology $(TOPOLOGY) --salt $(SALT) --transport $(TRANSPORT)

down: .venv/.made ## stop all labs; what was downloaded and built is kept
	.venv/bin/lab down

status: .venv/.made ## hosts and their roles: what runs, whether it answers, who leads
	.venv/bin/lab status

plan: .venv/.made ## what each host would get, without booting any: build/plan
	.venv/bin/lab plan --topology $(TOPOLOGY) --salt $(SALT)

check: lint unit ## what needs no host, no root and no network: lint, unit and rendering tests

unit: .venv/.made ## unit and rendering tests
	.venv/bin/pytest --numprocesses 4 --dist loadgroup -m "not root" tests/unit tests/render

hosts: .venv/.made ## tests on real hosts, three labs at a time (root, Debian 12)
	.venv/bin/pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder \
	    -m "not alone" tests/integration
	.venv/bin/pytest -m "alone or root" tests/unit tests/integration

test: .venv/.made ## all tests: check, then hosts
	@start=$$(date +%s) && $(MAKE) --no-print-directory check \
	    && checked=$$(date +%s) && $(MAKE) --no-print-directory hosts && end=$$(date +%s) \
	    && echo "check: $$((checked - start)) s, hosts: $$((end - checked)) s, both: $$((end - start)) s"

lint: .venv/.made ## ruff, yamllint, salt-lint, shellcheck, vagrant validate
	.venv/bin/ruff check . && .venv/bin/ruff format --check .
	.venv/bin/yamllint --strict .
	git ls-files '*.sls' | xargs -r .venv/bin/salt-lint
	git ls-files .ci/run conf/install-salt 'tests/bench/*.sh' 'lab/packages/*/root/usr/bin/*' | xargs -r .venv/bin/shellcheck
	git ls-files 'lab/packages/*.sh' | grep -v /root/ | xargs -r .venv/bin/shellcheck --shell=sh
	@if command -v vagrant >/dev/null || test "$$CI" = true; then \
	    VAGRANT_HOME=build/vagrant/home VAGRANT_DOTFILE_PATH=build/vagrant/machines vagrant validate --ignore-provider; \
	else echo "vagrant is not installed: nobody has looked at Vagrantfile"; fi

docs: .venv/.made ## docs/functions.md, docs/states.md and docs/schema.json
	.venv/bin/python docs/functions.py
	.venv/bin/python docs/schema.py

bench: .venv/.made ## what Salt costs: a topology of many agents, a script that does the same, an earlier commit, a large cluster
	.venv/bin/python tests/bench/render.py --salt $(SALT)
	.venv/bin/python tests/bench/bench.py --salt $(SALT)
	.venv/bin/python tests/bench/against.py --salt $(SALT)
	.venv/bin/python tests/bench/modules.py --salt $(SALT)

# Debian keeps venv in a package of its own; only root can help itself.
.venv/.made: pyproject.toml
	@python3 -c 'import ensurepip' 2>/dev/null || { test "$$(id -u)" = 0 && apt-get -qq update && apt-get -qq install --yes python3-venv; } \
	    || { echo "python3 lacks venv: apt-get install python3-venv"; exit 1; }
	python3 -m venv --clear .venv
	.venv/bin/pip install --quiet --editable .
	touch $@
