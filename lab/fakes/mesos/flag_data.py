"""
The flags of the Mesos daemons: the tables of the formula, formulas/mesos/flags.py, which explains
them. A daemon of the packages is built without the features of its other tables.
"""

from ..wire import formula_data

_TABLES = formula_data.read("mesos/flags.py")
MASTER: str = _TABLES["MASTER"]
AGENT: str = _TABLES["AGENT"]
