"""A node with the role zookeeper: a server, alone or of an ensemble."""

import pytest

pytestmark = pytest.mark.role("zookeeper")


@pytest.fixture
def zookeeper(settings) -> dict:
    return settings("zookeeper")


@pytest.fixture
def four_letter_word(host, zookeeper):
    """Return a function: four-letter word -> the server's response."""
    shell = "exec 3<>/dev/tcp/localhost/%s && printf %s >&3 && cat <&3"
    return lambda word: host.check_output(
        "timeout 10 bash -c %s", shell % (zookeeper["client_port"], word)
    )


def test_the_server_runs(runs):
    runs("zookeeper")


def test_the_server_listens_for_clients(listening, zookeeper):
    assert zookeeper["client_port"] in listening


def test_the_admin_server_does_not_use_the_port_of_marathon(host, zookeeper):
    pid = host.check_output("systemctl show --property MainPID zookeeper").partition("=")[2]
    sockets = host.check_output("ss --listening --numeric --tcp --processes").splitlines()
    ports = {
        int(socket.split()[3].rpartition(":")[2]) for socket in sockets if f"pid={pid}," in socket
    }
    # JMX may use a random port as well; only the port of the AdminServer matters.
    assert zookeeper["client_port"] in ports and 8080 not in ports


def test_the_mode_of_the_server_matches_the_settings(four_letter_word, zookeeper):
    mode = next(line for line in four_letter_word("srvr").splitlines() if line.startswith("Mode: "))
    if not zookeeper["servers"]:
        assert mode == "Mode: standalone"
    elif zookeeper["myid"] in zookeeper["observers"]:
        assert mode == "Mode: observer"
    else:
        assert mode in ("Mode: leader", "Mode: follower")


@pytest.mark.parametrize("word", ["ruok", "stat", "mntr", "conf"])
def test_the_server_answers_the_commands_of_monitoring(four_letter_word, word):
    assert four_letter_word(word) not in (
        "",
        f"{word} is not executed because it is not in the whitelist.",
    )


def test_the_server_runs_with_the_current_configuration(four_letter_word, zookeeper):
    """``conf`` shows the settings of the running server, those of the file only after a restart."""
    running = dict(
        line.partition("=")[::2] for line in four_letter_word("conf").splitlines() if "=" in line
    )
    assert int(running["clientPort"]) == zookeeper["client_port"]
    assert running["dataDir"].startswith(zookeeper["data_dir"])
    assert int(running["tickTime"]) == zookeeper["options"]["tickTime"]
    assert int(running["maxClientCnxns"]) == zookeeper["options"]["maxClientCnxns"]


def test_the_heap_is_bounded(host, zookeeper):
    pid = host.check_output("systemctl show --property MainPID zookeeper").partition("=")[2]
    assert (
        f"-Xmx{zookeeper['heap']}m"
        in host.check_output("tr '\\0' ' ' < /proc/%s/cmdline", pid).split()
    )


def test_a_server_has_the_id_in_its_settings(host, zookeeper):
    myid = host.file(f"{zookeeper['data_dir']}/myid")
    if zookeeper["myid"]:
        assert myid.content_string.strip() == str(zookeeper["myid"])
    else:
        assert not myid.exists or not zookeeper["servers"]


def test_old_snapshots_are_removed(host, zookeeper):
    # The directory of the configuration depends on the package.
    configuration = host.check_output(
        "cat /etc/zookeeper/conf/zoo.cfg 2>/dev/null || cat /etc/zookeeper/zoo.cfg"
    )
    assert (
        f"autopurge.purgeInterval={zookeeper['options']['autopurge.purgeInterval']}"
        in configuration.splitlines()
    )
