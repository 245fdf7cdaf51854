#!jinja|pyobjects
# Included by common.validate if there are errors: shows them, and nothing is applied.

from salt.exceptions import SaltRenderError

ERRORS = {{ salt['slsutil.renderer']('salt://common/tree.py').run('common/validation.py') | json }}

raise SaltRenderError("\n".join(ERRORS))
