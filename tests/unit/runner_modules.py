"""The runners without Salt, of which their tests need no more than the names."""

import importlib.util
import sys
import types
from types import ModuleType
from unittest import mock

from lab import ROOT

DIRECTORY = ROOT / "_runners"
SALT_MODULES = (
    "salt",
    "salt.client",
    "salt.output",
    "salt.payload",
    "salt.utils",
    "salt.utils.jid",
    "salt.utils.minions",
)


def load(name: str) -> ModuleType:
    """Return the module in a file of ``_runners``, without the suffix."""
    stubs = {module: types.ModuleType(module) for module in SALT_MODULES}
    exceptions = types.ModuleType("salt.exceptions")
    exceptions.SaltException = type("SaltException", (Exception,), {})
    spec = importlib.util.spec_from_file_location(f"test_{name}", DIRECTORY / f"{name}.py")
    runner = importlib.util.module_from_spec(spec)
    with (
        mock.patch.dict(sys.modules, {**stubs, "salt.exceptions": exceptions}),
        mock.patch.object(sys, "path", [*sys.path, str(DIRECTORY)]),
    ):
        spec.loader.exec_module(runner)
    return runner
