"""
One lab for all files of this folder: the eight hosts, converged by ``salt '*' state.apply``.

What these files test does not depend on the Salt line, so one is enough. With the other one,
test_install.py converges the same hosts, and test_ssh.py does so by salt-ssh.
"""

from conftest import fixture_of

ha = fixture_of("ha", "lxcm01", scope="package")
