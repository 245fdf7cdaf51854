#!jinja|pyobjects
# Included by common.guard when something is wrong: says what, and nothing is applied.

from salt.exceptions import SaltRenderError

FAULTS = {{ salt['slsutil.renderer']('salt://common/faults.py', default_renderer='py') | json }}

raise SaltRenderError("\n".join(FAULTS))
