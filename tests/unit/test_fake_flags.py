"""The command lines of the fakes: flags of Mesos, and options of Marathon and Chronos."""

import pytest

from lab.fakes.chronos import options as chronos_options
from lab.fakes.chronos.server import Chronos, zk_servers
from lab.fakes.marathon import options as marathon_options
from lab.fakes.marathon.server import Marathon
from lab.fakes.mesos import flag_data as mesos_flags
from lab.fakes.mesos.flags import FlagError, flags_of_version, load, seconds
from lab.fakes.wire.scallop import KnownOptions, OptionError, parse


def master(*arguments, version="1.9.0", **environment):
    return load(flags_of_version(mesos_flags.MASTER, version), arguments, environment)


def agent(*arguments, version="1.9.0", **environment):
    return load(flags_of_version(mesos_flags.AGENT, version), arguments, environment, ["work_dir"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--bogus=1"], "Failed to load unknown flag 'bogus'"),
        (["--quorum.rpmnew=1"], "Failed to load unknown flag 'quorum.rpmnew'"),
        (["--no-bogus"], "Failed to load unknown flag 'bogus' via 'no-bogus'"),
        (["--port=1", "--port=1"], "Flag 'port' is already loaded via name 'port'"),
        (
            ["--slave_ping_timeout=1secs", "--agent_ping_timeout=1secs"],
            "is already loaded via name 'agent_ping_timeout'",
        ),
        (["--quiet", "--no-quiet"], "Flag 'quiet' is already loaded via name 'quiet'"),
        (["--no-port"], "Failed to load non-boolean flag 'port' via 'no-port'"),
        (["--port"], "Failed to load non-boolean flag 'port': Missing value"),
        (
            ["--no-quiet=true"],
            "Failed to load boolean flag 'quiet' via 'no-quiet' with value 'true'",
        ),
        (["--quiet=maybe"], "Expecting a boolean (e.g., true or false)"),
        (
            ["--quorum=abc"],
            "Failed to load flag 'quorum': Failed to load value 'abc': "
            "Failed to convert into required type",
        ),
        (["--zk_session_timeout=10"], "Invalid duration '10'"),
        (["--acls={"], "Failed to load flag 'acls'"),
        (["--acls=file:///no/such"], "Error reading file '/no/such': No such file or directory"),
    ],
)
def test_an_invalid_flag_is_rejected_with_the_message_of_the_real_master(arguments, message):
    with pytest.raises(FlagError) as error:
        master(*arguments)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "argument, value",
    [
        ("--quiet", "true"),
        ("--quiet=", "true"),
        ("--no-quiet", "false"),
        ("--quiet=false", "false"),
        ("--QUIET=1", "true"),
    ],
)
def test_a_boolean_has_several_spellings(argument, value):
    assert master(argument)["quiet"] == value


def test_other_arguments_are_ignored_and_two_dashes_end_the_flags():
    assert "cluster" not in master("stray", "--", "--cluster=x")


def test_an_alias_sets_the_flag_under_its_new_name():
    flags = master("--slave_ping_timeout=7secs")
    assert flags["agent_ping_timeout"] == "7secs"
    assert "slave_ping_timeout" not in flags


def test_an_old_version_knows_a_renamed_flag_only_by_its_old_name():
    assert master("--user_sorter=drf", version="1.4.3")["user_sorter"] == "drf"
    with pytest.raises(FlagError, match="unknown flag 'role_sorter'"):
        master("--role_sorter=drf", version="1.4.3")
    assert master("--user_sorter=random")["role_sorter"] == "random"


@pytest.mark.parametrize("flag", ["reconfiguration_policy=equal", "docker_ignore_runtime=false"])
def test_a_flag_is_unknown_to_versions_that_are_older_than_the_flag(flag):
    assert agent("--work_dir=/w", f"--{flag}")
    with pytest.raises(FlagError, match="unknown flag"):
        agent("--work_dir=/w", f"--{flag}", version="1.4.3")


def test_the_agent_requires_its_work_directory():
    with pytest.raises(FlagError, match="Flag 'work_dir' is required, but it was not provided"):
        agent("--master=localhost:5050")


def test_the_value_of_a_file_url_is_the_content_of_the_file(tmp_path):
    (tmp_path / "acls").write_text('{"permissive": true}\n')
    assert master(f"--acls=file://{tmp_path}/acls")["acls"] == '{"permissive": true}'


def test_the_file_url_of_credentials_is_not_read(tmp_path):
    assert (
        master("--credentials=file:///etc/credentials")["credentials"] == "file:///etc/credentials"
    )


def test_the_command_line_takes_precedence_over_the_environment():
    assert master(MESOS_CLUSTER="blue")["cluster"] == "blue"
    assert master("--cluster=red", MESOS_CLUSTER="blue")["cluster"] == "red"


def test_unknown_variables_are_ignored_but_invalid_values_are_not():
    assert "bogus" not in master(MESOS_BOGUS="1", OTHER="x")
    with pytest.raises(FlagError, match="Failed to load flag 'quorum'"):
        master(MESOS_QUORUM="abc")


def test_a_flag_may_not_be_set_again_by_a_variable_in_another_spelling():
    with pytest.raises(FlagError, match="already loaded"):
        master("--agent_ping_timeout=1secs", MESOS_SLAVE_PING_TIMEOUT="1secs")
    with pytest.raises(FlagError, match="already loaded"):
        agent("--work_dir=/w", "--no-switch_user", MESOS_SWITCH_USER="true")


def test_durations_have_units():
    assert seconds("1.5mins") == 90
    assert seconds("10secs") == 10


# --- options of Marathon and Chronos, which scallop parses ---


def marathon(*arguments, version="1.8.244"):
    return parse(arguments, KnownOptions.of(marathon_options, version))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--bogus", "1"], "Unknown option 'bogus'"),
        (["--sub/zk", "1"], "Unknown option 'sub/zk'"),
        (
            ["--zk", "a", "--zk", "b"],
            "Bad arguments for option 'zk': 'a b' - you should provide exactly one argument",
        ),
        (["--zk"], "Bad arguments for option 'zk': ''"),
        (["--ha", "true"], "Excess arguments provided: 'true'"),
        (["--zk", "a", "b"], "Excess arguments provided: 'b'"),
        (["--ha", "--disable_ha"], "Bad arguments for option 'ha'"),
        (["--http_port", "http"], "wrong arguments format"),
    ],
)
def test_marathon_rejects_invalid_options_with_the_message_of_scallop(arguments, message):
    with pytest.raises(OptionError) as error:
        marathon(*arguments)
    assert message in str(error.value)


def test_a_toggle_takes_no_value_and_has_a_disable_form():
    assert marathon()["ha"] is True
    assert marathon("--disable_ha", "--mesos_authentication")["ha"] is False
    assert marathon("--mesos_authentication")["mesos_authentication"] is True


def test_the_value_of_an_option_may_have_spaces_and_may_follow_an_equals_sign():
    options = marathon("--framework_name", "my marathon", "--access_control_allow_origin=*")
    assert (options["framework_name"], options["access_control_allow_origin"]) == (
        "my marathon",
        "*",
    )


@pytest.mark.parametrize(
    "option, last_version, removed_version",
    [("event_subscriber", "1.4.13", "1.5.15"), ("reporter_graphite", "1.5.15", "1.8.244")],
)
def test_removed_options_are_rejected(option, last_version, removed_version):
    assert marathon(f"--{option}", "x", version=last_version)[option] == "x"
    with pytest.raises(OptionError, match="Unknown option"):
        marathon(f"--{option}", "x", version=removed_version)


def test_from_1_5_10_on_marathon_reads_its_environment_verbatim():
    environment = {
        "MARATHON_MASTER": "localhost:5050",
        "MARATHON_FRAMEWORK_NAME": "my  *",
        "MARATHON_DISABLE_HA": "",
        "MARATHON_APP_ID": "/x",
        "OTHER": "x",
    }
    options = Marathon([], environment).options
    assert (options["framework_name"], options["ha"]) == ("my  *", False)
    with pytest.raises(OptionError, match="Required option 'master' not found"):
        Marathon([], environment, version="1.4.13")


def test_an_option_may_not_be_set_on_the_command_line_and_in_the_environment():
    with pytest.raises(OptionError, match="exactly one argument"):
        Marathon(["--master", "a:1"], {"MARATHON_MASTER": "b:1"})


def test_chronos_rejects_repeated_and_unknown_options():
    with pytest.raises(OptionError, match="exactly one argument"):
        Chronos(["--master", "a:1", "--master", "a:1"])
    with pytest.raises(OptionError, match="Unknown option 'cassandra_user'"):
        Chronos(["--cassandra_user", "x"], version="2.4.0")
    assert (
        parse(["--cassandra_user", "x"], KnownOptions.of(chronos_options, "2.5.0"))[
            "cassandra_user"
        ]
        == "x"
    )


@pytest.mark.parametrize(
    "text", ["h1:2181,h2:2181", "zk://h1:2181,h2:2181", "zk://h1:2181,h2:2181/any/path"]
)
def test_chronos_accepts_several_forms_of_zk_hosts(text):
    assert zk_servers(text) == "h1:2181,h2:2181"


@pytest.mark.parametrize("text", ["h1", "user:secret@h1:2181", "h1:2181,", ""])
def test_chronos_requires_a_port_and_no_password_in_each_of_its_zk_hosts(text):
    with pytest.raises(OptionError, match="is not host:port"):
        zk_servers(text)
