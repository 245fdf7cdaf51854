"""
The flags of the Mesos daemons: the tables of the formula, formulas/mesos/flags.py, which explains
them. A daemon of the packages is built without the features of its other tables.
"""

import pathlib
import runpy

# On a host the package lab-fakes has a copy beside this file.
COPY = pathlib.Path(__file__).with_name("formula_flags.py")
SOURCE = pathlib.Path(__file__).parents[3] / "formulas/mesos/flags.py"

_TABLES = runpy.run_path(str(COPY if COPY.exists() else SOURCE))
MASTER: str = _TABLES["MASTER"]
AGENT: str = _TABLES["AGENT"]
