"""
Whether apps and jobs really run on the cluster. A helper of the states of marathon and chronos:
Salt's loader skips names that begin with ``_``.
"""

import importlib
import time

import _ready
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_ready)

POLL_INTERVAL = 0.5  # seconds
MIN_TIMEOUT = 1
MAX_TIMEOUT = 3600
REMOVAL_TIMEOUT = 60  # seconds until a removed app has stopped
# Each release of EL has one of these, for yum or dnf.
SERVERS = (
    "python3 -m http.server $PORT0",
    "/usr/libexec/platform-python -m http.server $PORT0",
    "python -m SimpleHTTPServer $PORT0",
)
# The agent asks the app, since the ports of tasks are closed to the other nodes by default.
APP = {
    "cmd": " || ".join(SERVERS),
    "cpus": 0.1,
    "mem": 32,
    "instances": 1,
    "healthChecks": [
        {
            "protocol": "COMMAND",
            "command": {"value": "curl -sf http://127.0.0.1:$PORT0/"},
            "gracePeriodSeconds": 60,
            "intervalSeconds": 2,
            "timeoutSeconds": 5,
        }
    ],
}
# Far in the future: it runs only when it is asked to.
JOB = {
    "schedule": "R/2100-01-01T00:00:00Z/P1D",
    "command": "true",
    "cpus": 0.1,
    "mem": 32,
    "disk": 1,
    "retries": 0,
}


def run(name, timeout, verification, test):
    """
    Run a verification, remove what it has started in any case, and return the result of the state.

    name, timeout
        Arguments of the state.

    verification
        Has ``will``, what it will do as a sentence; and the functions ``remove``, which returns
        whether something was removed, and ``verify``, which returns a sentence.

    test
        Only say what would be done.
    """
    sentences = []
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}
    try:
        _check_timeout(timeout)
        if test:
            return {**ret, "result": None, "comment": verification.will}
        if verification.remove():
            sentences.append(f"{name} of an interrupted run was removed")
    except (CommandExecutionError, SaltInvocationError) as error:
        return {**ret, "comment": str(error)}
    try:
        sentences.append(verification.verify())
        ret["result"] = True
    except CommandExecutionError as error:
        sentences.append(str(error))
    finally:
        try:
            verification.remove()
            sentences.append("It was removed")
        except CommandExecutionError as error:
            ret["result"] = False
            sentences.append(f"{name} could not be removed, which the next run will do: {error}")
    return {**ret, "comment": ". ".join(sentence.rstrip(".") for sentence in sentences)}


def _check_timeout(timeout):
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not is_number or not MIN_TIMEOUT <= timeout <= MAX_TIMEOUT:
        expected = f"a number of seconds from {MIN_TIMEOUT} to {MAX_TIMEOUT}"
        raise SaltInvocationError(f"timeout: {timeout!r} should be {expected}")


class AppVerification:
    """
    Let an app run and answer over HTTP.

    call
        A function that calls the execution module marathon.

    name, timeout
        Id of the app, and seconds until it must answer.
    """

    def __init__(self, call, name, timeout):
        self._call = call
        self._name = name
        self._timeout = timeout
        self.will = f"The app {name} would run, answer over HTTP, and be removed"

    def remove(self):
        group = self._name.rpartition("/")[0]
        if group and self._call("group_exists", group):
            result = self._call("delete_group", group, force=True)
        elif not group and self._call("app_exists", self._name):
            result = self._call("delete_app", self._name, force=True)
        else:
            return False
        if result["deploymentId"]:
            outcome = self._wait(result["deploymentId"], REMOVAL_TIMEOUT)
            if outcome["result"] == "timeout":
                raise CommandExecutionError(outcome["reason"])
        return True

    def verify(self):
        result = self._call("create_app", self._name, APP)
        outcome = self._wait(result["deploymentId"], self._timeout)
        tasks = self._call("tasks", self._name)
        is_healthy = self._call("app", self._name, embed=["counts"]).get("tasksHealthy")
        if outcome["result"] in ("done", "unknown") and tasks and is_healthy:
            return f"The app {self._name} ran on {tasks[0]['host']} and answered over HTTP"
        seconds = _ready.plural(self._timeout, "second")
        raise CommandExecutionError(
            f"The app {self._name} did not run and answer within {seconds}: {outcome['reason']}"
        )

    def _wait(self, deployment_id, timeout):
        # The connection may have a timeout of its own, so that this one is positional.
        return self._call("wait_deployment", deployment_id, timeout, POLL_INTERVAL)


class JobVerification:
    """
    Let a job run and succeed.

    call, list_tasks
        Functions: one that calls the execution module chronos, and mesos.tasks.

    name, timeout
        Name of the job, and seconds until it must have succeeded.
    """

    def __init__(self, call, list_tasks, name, timeout):
        self._call = call
        self._list_tasks = list_tasks
        self._name = name
        self._timeout = timeout
        self.will = f"The job {name} would run, succeed, and be removed"

    def remove(self):
        if not self._call("job_exists", self._name):
            return False
        self._call("kill_tasks", self._name)
        self._call("delete_job", self._name)
        return True

    def verify(self):
        begin = time.time()
        self._call("create_job", self._name, JOB)
        self._call("run_job", self._name)
        deadline = time.monotonic() + self._timeout
        while True:
            job = self._call("job", self._name)
            if job["successCount"]:
                return f"The job {self._name} ran and succeeded"
            if job["errorCount"]:
                reason = self._failure(begin)
                raise CommandExecutionError(f"The job {self._name} failed: {reason}")
            if time.monotonic() >= deadline:
                seconds = _ready.plural(self._timeout, "second")
                raise CommandExecutionError(
                    f"The job {self._name} did not end within {seconds}: {self._state()}"
                )
            time.sleep(POLL_INTERVAL)

    def _state(self):
        state = self._call("jobs_summary").get(self._name, {}).get("state", "unknown")
        if state in ("idle", "queued"):
            return (
                f"its state is {state}. No agent has offered {JOB['cpus']:g} CPUs, {JOB['mem']} "
                f"MiB of memory and {JOB['disk']} MiB of disk to Chronos"
            )
        return f"its state is {state}"

    def _failure(self, begin):
        """Return why the task has failed, which only Mesos knows."""
        try:
            tasks = self._list_tasks()
        except CommandExecutionError as error:
            return f"its task failed, and Mesos does not tell why: {error}"
        for task in reversed(tasks):
            is_recent = (task["started"] or begin) >= begin
            if is_recent and self._name in (task["name"] or "") and task["message"]:
                return f"{task['state']}, {task['message']}"
        return "its task failed. See: salt-call mesos.tasks framework=chronos"
