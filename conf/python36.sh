#!/bin/sh
# Makes the Salt 3006 of an environment one that runs on Python 3.6 as well, which is what EL7 has: conf/python36.sh /opt/salt-ssh
# Of all that salt-ssh sends to a host these are the places with words of Python 3.7 and 3.8.
set -eu
cd "$1"/lib/python3*/site-packages/salt
sed -i 's/capture_output=True/stdout=subprocess.PIPE, stderr=subprocess.PIPE/; s/text=True/universal_newlines=True/' utils/systemd.py
sed -i 's/^\( *\)if systemd_run_path := \(.*\):$/\1systemd_run_path = \2\n\1if systemd_run_path:/' modules/systemd_service.py
