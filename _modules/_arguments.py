"""
Validate arguments of functions. A helper of the execution modules, not a module itself: Salt's
loader skips names that begin with ``_``.
"""

import importlib

import _text
from salt.exceptions import SaltInvocationError

importlib.reload(_text)


def require(is_valid, argument, value, expected):
    """Raise SaltInvocationError, in one line, unless an argument is valid."""
    if not is_valid:
        raise SaltInvocationError(f"{argument}: {_text.shorten(repr(value))} should be {expected}")
