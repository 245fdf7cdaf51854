"""
One lab for all files of this folder: the same hosts as those of ``ha``. These files run the
orchestrations and runners with which people operate a cluster. They have a lab of their own, so
that both folders are tested at the same time.
"""

from conftest import fixture_of

ha = fixture_of("ha", "lxcm01", scope="package")
