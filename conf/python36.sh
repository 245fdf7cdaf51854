#!/bin/sh
# Makes the Salt 3006 of an environment run on Python 3.6, which EL7 has, as well:
#
#   conf/python36.sh /opt/salt-ssh
#
# This is the only line that needs Python 3.8 in what salt-ssh sends to a host and uses there.
set -eu
sed -i 's/^\( *\)if systemd_run_path := \(.*\):$/\1systemd_run_path = \2\n\1if systemd_run_path:/' \
    "$1"/lib/python3*/site-packages/salt/modules/systemd_service.py
