"""mesos.flags_managed, applied by real Salt 3006 and 3008 to real directories."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

SECRET = "open-sesame-4711"


class Flags:
    """A flag directory and the state that manages it."""

    def __init__(self, salt: Callable[..., dict], directory: Path):
        self.salt = salt
        self.directory = directory

    def apply_once(self, test: bool = False, pillar: dict | None = None, **arguments) -> dict:
        """Apply the state once. Returns its result."""
        return self.salt(
            "mesos.flags_managed", test, pillar, **{"name": str(self.directory), **arguments}
        )

    def apply(self, **arguments) -> dict:
        """
        Apply the state, and check that ``test=True`` reports the same and that it is idempotent.

        Returns the changes.
        """
        before = self.statuses()
        predicted = self.apply_once(test=True, **arguments)
        assert self.statuses() == before, "test=True wrote something"
        result = self.apply_once(**arguments)
        assert result["result"] is True, result["comment"]
        assert predicted["changes"] == result["changes"]
        assert predicted["result"] is (None if result["changes"] else True), predicted["comment"]
        after = self.statuses()
        for test in (True, False):
            second = self.apply_once(test=test, **arguments)
            assert second["result"] is True and second["changes"] == {}, second
        assert self.statuses() == after, "something was written although nothing differed"
        return result["changes"]

    def fails(self, **arguments) -> str:
        """
        Check that the state fails before it changes anything, with and without ``test``.

        Returns its comment.
        """
        before = self.statuses()
        results = [self.apply_once(test=test, **arguments) for test in (True, False)]
        for result in results:
            assert result["result"] is False and result["changes"] == {}, result
        assert self.statuses() == before
        return results[1]["comment"]

    def statuses(self) -> dict[str, tuple]:
        """Return the status of everything in the directory, which any write would change."""
        statuses = {}
        if not self.directory.exists():
            return statuses
        for path in [self.directory, *self.directory.rglob("*")]:
            status = path.lstat()
            statuses[str(path)] = (
                status.st_ino,
                status.st_mode,
                status.st_uid,
                status.st_gid,
                status.st_mtime_ns,
            )
        return statuses

    def read(self) -> dict[str, str]:
        """Return the text of each file, by relative path."""
        files = (path for path in self.directory.rglob("*") if path.is_file())
        return {str(path.relative_to(self.directory)): path.read_text() for path in files}

    def mode(self, path: str) -> int:
        return (self.directory / path).stat().st_mode & 0o7777


@pytest.fixture
def flags(salt, tmp_path):
    directory = tmp_path / "mesos-slave"
    directory.mkdir(mode=0o755)
    return Flags(salt, directory)


def test_each_flag_is_a_file(flags):
    changes = flags.apply(
        flags={
            "quorum": 2,
            "switch_user": False,
            "strict": True,
            "work_dir": "/var/lib/mesos",
            "acls": {"b": [1], "a": "ä"},
            "?no-logger": True,
            "?quiet": False,
            "hostname": None,
        }
    )
    assert flags.read() == {
        "quorum": "2\n",
        "switch_user": "false\n",
        "strict": "true\n",
        "?no-logger": "",
        "work_dir": "/var/lib/mesos\n",
        "acls": '{"a":"ä","b":[1]}\n',
    }
    assert changes["quorum"] == {"old": None, "new": "2"}
    assert {flags.mode(name) for name in flags.read()} == {0o644}


def test_undeclared_entries_are_removed(flags):
    flags.apply(flags={"quorum": 2, "cluster": "blue"})
    for stray in ("quorum.rpmnew", "quorum~", "no-logger"):
        (flags.directory / stray).write_text("1")
    (flags.directory / "backup" / "old").mkdir(parents=True)
    (flags.directory / "target").symlink_to("quorum")
    (flags.directory / ".quorum.swp").write_text("the daemons do not read this")
    os.mkfifo(flags.directory / "pipe")
    changes = flags.apply(flags={"quorum": 2})
    assert set(flags.read()) == {"quorum", ".quorum.swp"}
    assert changes == {
        "backup": {"old": "directory", "new": None},
        "cluster": {"old": "blue", "new": None},
        "no-logger": {"old": "1", "new": None},
        "pipe": {"old": "neither file nor directory", "new": None},
        "quorum.rpmnew": {"old": "1", "new": None},
        "quorum~": {"old": "1", "new": None},
        "target": {"old": "link to quorum", "new": None},
    }


def test_a_changed_flag_is_replaced_and_the_others_are_not_touched(flags):
    flags.apply(flags={"quorum": 1, "port": 5050})
    before = flags.statuses()[str(flags.directory / "port")]
    assert flags.apply(flags={"quorum": 2, "port": 5050}) == {"quorum": {"old": "1", "new": "2"}}
    assert flags.statuses()[str(flags.directory / "port")] == before


def test_attributes_and_resources_may_be_a_directory_a_file_or_absent(flags):
    flags.apply(
        flags={
            "attributes": {"rack": "r1", "level": 3, "gone": None},
            "resources": {
                "cpus": 7.5,
                "ports": ["31000-32000", 8000],
                "disks(web)": ["sda", "sdb"],
            },
        }
    )
    assert flags.read() == {
        "attributes/rack": "r1\n",
        "attributes/level": "3\n",
        "resources/cpus": "7.5\n",
        "resources/ports": "[31000-32000,8000-8000]\n",
        "resources/disks(web)": "{sda,sdb}\n",
    }
    (flags.directory / "attributes" / "rack~").write_text("r0")
    assert flags.apply(flags={"attributes": {"rack": "r2"}, "resources": [{"name": "cpus"}]}) == {
        "attributes/level": {"old": "3", "new": None},
        "attributes/rack~": {"old": "r0", "new": None},
        "attributes/rack": {"old": "r1", "new": "r2"},
        "resources": {"old": "directory", "new": '[{"name":"cpus"}]'},
    }
    flags.apply(flags={"attributes": "rack:r2", "resources": {"cpus": 4}})
    assert flags.read() == {"attributes": "rack:r2\n", "resources/cpus": "4\n"}
    assert set(flags.apply(flags={"attributes": {}})) == {"attributes", "resources"}
    assert flags.read() == {}


def test_a_symlink_is_replaced_and_its_target_stays(flags, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "rack").write_text("r1\n")
    (flags.directory / "hostname").symlink_to(target / "rack")
    (flags.directory / "attributes").symlink_to(target)
    flags.apply(flags={"hostname": "r1", "attributes": {"rack": "r1"}})
    assert flags.read() == {"hostname": "r1\n", "attributes/rack": "r1\n"}
    assert (
        not (flags.directory / "hostname").is_symlink()
        and not (flags.directory / "attributes").is_symlink()
    )
    assert (target / "rack").read_text() == "r1\n"


def test_the_directory_is_only_created_for_flags(flags):
    flags.directory.rmdir()
    assert flags.apply(flags={}) == {}
    assert not flags.directory.exists()
    changes = flags.apply(flags={"quorum": 1}, dir_mode="0750")
    assert changes == {".": {"old": None, "new": "directory"}, "quorum": {"old": None, "new": "1"}}
    assert flags.mode(".") == 0o750


def test_permissions_are_restored(flags):
    flags.apply(flags={"quorum": 1}, mode="0640")
    assert flags.mode("quorum") == 0o640
    (flags.directory / "quorum").chmod(0o666)
    flags.directory.chmod(0o777)
    changes = flags.apply(flags={"quorum": 1})
    assert list(changes) == [".", "quorum"]
    assert changes["quorum"]["old"].startswith("0666 ") and changes["quorum"]["new"].startswith(
        "0644 "
    )
    assert flags.mode("quorum") == 0o644 and flags.mode(".") == 0o755


def test_secrets_are_readable_by_their_owner_only_and_redacted_in_reports(flags):
    pillar = {
        "mesos": {
            "secrets": {
                "credential": {"principal": "agent", "secret": SECRET},
                "jwt_secret_key": SECRET,
            }
        }
    }
    changes = flags.apply(flags={"port": 5051}, secrets="mesos:secrets", pillar=pillar)
    assert flags.read()["jwt_secret_key"] == SECRET
    assert json.loads(flags.read()["credential"])["secret"] == SECRET
    assert flags.mode("credential") == 0o600
    assert changes["credential"] == {"old": None, "new": "***"}
    changes = flags.apply(flags={"port": 5051}, secrets={"jwt_secret_key": "another"})
    assert changes == {
        "credential": {"old": "***", "new": None},
        "jwt_secret_key": {"old": "***", "new": "***"},
    }
    (flags.directory / "credential.rpmsave").write_text(SECRET)
    assert flags.apply(flags={}) == {
        "credential.rpmsave": {"old": "***", "new": None},
        "jwt_secret_key": {"old": "***", "new": None},
        "port": {"old": "5051", "new": None},
    }


def test_credentials_in_a_url_are_not_reported(flags):
    changes = flags.apply(flags={"zk": f"zk://mesos:{SECRET}@10.0.0.1:2181,10.0.0.2:2181/mesos"})
    assert changes["zk"]["new"] == "zk://***@10.0.0.1:2181,10.0.0.2:2181/mesos"


def test_a_file_that_is_not_utf_8_is_replaced(flags):
    (flags.directory / "quorum").write_bytes(b"\xff\xfe")
    flags.apply(flags={"quorum": "several\nlines\n"})
    assert flags.read() == {"quorum": "several\nlines\n"}


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            {
                "flags": {"slave_ping_timeout": "15secs", "agent_ping_timeout": "20secs"},
                "aliases": {"slave_ping_timeout": "agent_ping_timeout"},
            },
            ["slave_ping_timeout", "agent_ping_timeout"],
        ),
        ({"flags": {"log_dir": "/a"}, "environment": {"LOGS": "/b"}}, ["log_dir", "LOGS"]),
        ({"flags": {"quorum": 1}, "environment": ["MESOS_QUORUM"]}, ["quorum", "MESOS_QUORUM"]),
        (
            {"flags": {"switch_user": True, "?no-switch_user": True}},
            ["switch_user", "?no-switch_user"],
        ),
        ({"flags": {"?ha": True, "?disable_ha": True}}, ["?ha", "?disable_ha"]),
        (
            {"flags": {"credential": "/a"}, "secrets": {"credential": "b"}},
            ["credential", "2 spellings"],
        ),
        ({"flags": {"Quorum": 1, "quorum": 1}}, ["Quorum", "quorum"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_flag_in_two_spellings_is_rejected(flags, arguments, words):
    (flags.directory / "quorum").write_text("3")
    comment = flags.fails(**arguments)
    for word in words:
        assert word in comment


def test_a_flag_that_is_null_or_false_does_not_count_as_a_spelling(flags):
    flags.apply(flags={"switch_user": None, "?switch_user": False, "?no-switch_user": True})
    assert flags.read() == {"?no-switch_user": ""}


@pytest.mark.parametrize(
    "arguments, word",
    [
        ({"flags": {"quorum.rpmnew": 1}}, "quorum.rpmnew"),
        ({"flags": {"../passwd": 1}}, "../passwd"),
        ({"flags": {"": 1}}, "not the name of a flag"),
        ({"flags": ["quorum"]}, "flags: should be a mapping"),
        ({"flags": {"?ha": "yes"}}, "?ha"),
        ({"flags": {"quorum": "a\0b"}}, "quorum"),
        ({"flags": {"quorum": "\ud800"}}, "quorum"),
        ({"flags": {"attributes": {"a/b": "c"}}}, "a/b"),
        ({"flags": {"attributes": {"a": ""}}}, "attributes: a"),
        ({"flags": {"attributes": {"a": "b;c"}}}, "attributes: a"),
        ({"flags": {"resources": {"disk": {"a": 1}}}}, "resources: disk"),
        (
            {"secrets": "mesos:secrets", "pillar": {"mesos": {"secrets": SECRET}}},
            "secrets: should be a mapping",
        ),
        ({"environment": 7}, "environment"),
        ({"mode": "rw"}, "rw"),
        ({"user": "nobody-of-this-name"}, "nobody-of-this-name"),
        ({"name": "/etc"}, "/etc"),
        ({"name": "etc/mesos-master"}, "etc/mesos-master"),
        ({"name": "/etc/hostname"}, "not a directory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_invalid_arguments_are_rejected_before_anything_changes(flags, arguments, word):
    (flags.directory / "quorum").write_text("3")
    comment = flags.fails(**{"flags": {"quorum": 1}, **arguments})
    assert word in comment and SECRET not in comment


def test_an_error_of_the_operating_system_fails_the_state(flags):
    comment = flags.apply_once(name="/proc/mesos-master", flags={"quorum": 1})["comment"]
    assert "/proc/mesos-master" in comment
