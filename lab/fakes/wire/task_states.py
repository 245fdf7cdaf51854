"""Task states of the Mesos API."""

TERMINAL = {
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
}
STATES = tuple(
    f"TASK_{state}"
    for state in (
        *("STAGING", "STARTING", "RUNNING", "KILLING", "UNREACHABLE"),
        *("FINISHED", "KILLED", "FAILED", "LOST", "ERROR"),
    )
)
