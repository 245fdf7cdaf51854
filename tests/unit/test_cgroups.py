"""Control groups of labs that start and stop at the same time."""

import multiprocessing
import subprocess
import sys

import pytest

from lab import cgroups, instance

pytestmark = pytest.mark.root

HOST = "host"
COMMANDS = 50


def _stay(stop):
    cgroups.enter(HOST)
    stop.wait()


def _prune(stop):
    while not stop.is_set():
        cgroups.prune()


def _enter(results):
    try:
        cgroups.enter(f"{HOST}/commands")
        results.put("")
    except OSError as error:
        results.put(repr(error))


@pytest.fixture
def running_lab(monkeypatch):
    """A lab with one process, while ``lab down`` of others removes empty groups all the time."""
    monkeypatch.setattr(instance, "name", "test-cgroups")
    stop = multiprocessing.Event()
    host = multiprocessing.Process(target=_stay, args=[stop])
    host.start()
    while not cgroups.members(HOST):
        assert host.is_alive()
    pruning = multiprocessing.Process(target=_prune, args=[stop])
    pruning.start()
    yield
    stop.set()
    pruning.join()
    host.join()
    cgroups.kill()
    cgroups.prune()


def test_a_command_enters_its_group_while_another_lab_stops(running_lab):
    results = multiprocessing.Queue()
    for _ in range(COMMANDS):
        command = multiprocessing.Process(target=_enter, args=[results])
        command.start()
        command.join()
    errors = {results.get(timeout=60) for _ in range(COMMANDS)}
    assert errors == {""}


THREADS = """
import threading
thread = threading.Thread(target=threading.Event().wait)
thread.start()
print(thread.native_id, flush=True)
"""


@pytest.mark.parametrize("of_thread", [False, True])
def test_a_pid_that_another_process_got_meanwhile_is_not_killed(monkeypatch, of_thread):
    monkeypatch.setattr(instance, "name", "test-cgroups")
    member = subprocess.Popen(["sleep", "infinity"], preexec_fn=lambda: cgroups.enter(HOST))
    bystander = subprocess.Popen([sys.executable, "-c", THREADS], stdout=subprocess.PIPE, text=True)
    thread = int(bystander.stdout.readline())
    members = cgroups.members
    reused = thread if of_thread else bystander.pid
    monkeypatch.setattr(cgroups, "members", lambda *args: members(*args) | {reused})
    cgroups.kill(HOST)
    assert member.wait() == -9
    assert bystander.poll() is None
    bystander.kill()
    bystander.communicate()


def test_an_empty_group_of_another_lab_is_left_alone(monkeypatch):
    """The systemd of a host creates its groups before it moves processes there."""
    monkeypatch.setattr(instance, "name", "test-cgroups")
    groups = cgroups.groups(HOST)
    for group in groups:
        group.mkdir(parents=True)
    cgroups.prune()
    assert all(group.exists() for group in groups)
    cgroups.kill()
    assert not any(group.exists() for group in groups)
