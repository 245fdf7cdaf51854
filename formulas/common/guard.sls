# The old name of common.validate, for top.sls files that still have it.

include:
  - common.validate

common-guard-is-deprecated:
  test.configurable_test_state:
    - name: common.guard
    - changes: False
    - warnings: common.guard is deprecated. Use common.validate instead.
