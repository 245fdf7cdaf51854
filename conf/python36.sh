#!/bin/sh
# Makes the Salt 3006 of an environment one that runs on Python 3.6 as well, which is what EL7 has: conf/python36.sh /opt/salt-ssh
# Of all that salt-ssh sends to a host, and that is used there, this one line is of Python 3.8.
set -eu
sed -i 's/^\( *\)if systemd_run_path := \(.*\):$/\1systemd_run_path = \2\n\1if systemd_run_path:/' \
    "$1"/lib/python3*/site-packages/salt/modules/systemd_service.py
