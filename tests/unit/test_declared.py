"""The helper _declared: plans, their results, redaction of secrets, and definitions in files."""

import pytest

CHANGES = {"/labels/team": {"old": "a", "new": "b"}}
SECRET = {"/env/PASSWORD": {"old": None, "new": "sesame"}}
REDACTED = {"/env/PASSWORD": {"old": None, "new": "***"}}
NOT_A_SOURCE = "should be a mapping, or a file such as salt://apps/web.yaml or .json"
OTHER_NUMBER = "as a different number; quote it, or write the number in decimal"


@pytest.fixture
def run_plan(salt, tmp_path):
    """
    Return a function that runs a state with a plan.

    It returns the result, changes and comment, and how often the plan was applied.
    """

    def apply(changes, test=False, **arguments):
        log = tmp_path / "log"
        log.write_text("")
        answer = salt("declaring.planned", test, name=str(log), changes=changes, **arguments)
        assert answer["name"] == str(log)
        return (
            answer["result"],
            answer["changes"],
            answer["comment"],
            len(log.read_text().splitlines()),
        )

    return apply


def test_without_changes_the_plan_is_not_applied(run_plan):
    for test in (True, False):
        assert run_plan({}, test) == (True, {}, "It is as declared", 0)


def test_a_test_run_reports_the_same_changes_and_applies_none(run_plan):
    assert run_plan(CHANGES, True) == (None, CHANGES, "It would be changed", 0)
    assert run_plan(CHANGES) == (True, CHANGES, "It was changed", 1)


@pytest.mark.parametrize(
    "arguments", [{"read_error": "No response"}, {"argument_error": "mode: x should be y"}], ids=str
)
def test_a_state_whose_plan_fails_reports_no_changes(run_plan, arguments):
    for test in (True, False):
        assert run_plan(CHANGES, test, **arguments) == (False, {}, *arguments.values(), 0)


def test_a_failed_plan_reports_no_changes(run_plan):
    assert run_plan(CHANGES, failure="It was rejected") == (False, {}, "It was rejected", 1)


def test_an_incomplete_change_fails_and_reports_what_was_changed(run_plan):
    assert run_plan(CHANGES, incomplete="It had no effect") == (
        False,
        CHANGES,
        "It had no effect",
        1,
    )
    assert run_plan({**CHANGES, **SECRET}, incomplete="Only a part", done=SECRET) == (
        False,
        REDACTED,
        "Only a part",
        1,
    )
    assert run_plan(CHANGES, incomplete="No part", done={}) == (False, {}, "No part", 1)


def test_secrets_are_redacted_unless_show_secrets_is_set(run_plan):
    assert (
        run_plan(SECRET)[1]
        == run_plan(SECRET, True)[1]
        == run_plan(SECRET, incomplete="It failed")[1]
        == REDACTED
    )
    assert (
        run_plan(SECRET, show_secrets=True)[1]
        == run_plan(SECRET, True, show_secrets=True)[1]
        == SECRET
    )


@pytest.mark.parametrize(
    "path, value, redacted",
    [
        ("/env/DB_PASSWORD", "sesame", "***"),
        ("/env/api_token", 7, "***"),
        ("/labels/AWS_SECRET", ["a", "b"], ["***", "***"]),
        ("/env/SSH_KEY", None, None),
        ("/env/USE_PASSWORD", True, True),
        ("/passwords/user", "me", "me"),
        ("/env/USER", "me", "me"),
        (
            "/env",
            {"DB_PASSWORD": "sesame", "USER": "me", "PORT": 1},
            {"DB_PASSWORD": "***", "USER": "me", "PORT": 1},
        ),
        (
            "/",
            {"env": {"CREDENTIALS": "sesame"}, "instances": 2},
            {"env": {"CREDENTIALS": "***"}, "instances": 2},
        ),
        (
            "/environmentVariables",
            [{"name": "TOKEN", "value": "sesame"}, {"name": "USER", "value": "me"}],
            [{"name": "TOKEN", "value": "***"}, {"name": "USER", "value": "me"}],
        ),
        (
            "/parameters",
            [{"key": "hostname", "value": "web"}, {"key": "env", "value": "DB_PASSWORD=sesame"}],
            [{"key": "hostname", "value": "web"}, {"key": "env", "value": "DB_PASSWORD=***"}],
        ),
        ("/fetch/0/uri", "http://me:sesame@example.com/a.tgz", "http://***@example.com/a.tgz"),
        ("/cmd", "run --password=sesame --user me", "run --password=*** --user me"),
        (
            "/cmd",
            "run --password 'open sesame' --api-key \"a b\" now",
            "run --password *** --api-key *** now",
        ),
        (
            "/cmd",
            """run '{"password": "open sesame", "user": "me"}'""",
            """run '{"password": ***, "user": "me"}'""",
        ),
        (
            "/cmd",
            "AUTH_TOKEN=sesame DB_PASSWORD=simsim exec run",
            "AUTH_TOKEN=*** DB_PASSWORD=*** exec run",
        ),
        (
            "/cmd",
            "curl http://me:sesame@example.com/?token=simsim",
            "curl http://***@example.com/?token=***",
        ),
        ("/cmd", "sleep 3600", "sleep 3600"),
    ],
    ids=str,
)
def test_secrets_are_redacted_in_old_and_new_values(run_plan, path, value, redacted):
    changes = {path: {"old": value, "new": value}, "/x": {"old": 1, "new": 2}}
    assert run_plan(changes, True)[1] == {
        path: {"old": redacted, "new": redacted},
        "/x": {"old": 1, "new": 2},
    }


# --- definitions ---


@pytest.fixture
def load(salt):
    """
    Return a function that loads a definition.

    It returns the mapping, or the error without the URL of the file.
    """

    def read(config, name=None):
        url = salt.serve(name, config) if name else config
        answer = salt("declaring.loaded", name="x", config=url)
        assert "\n" not in answer["comment"]
        return answer["changes"] if answer["result"] else answer["comment"].replace(f"{url}: ", "")

    return read


def test_a_definition_is_a_mapping_or_a_json_or_yaml_file(load):
    config = {"cmd": "sleep 99", "env": {"A": "1"}, "cpus": 0.5, "labels": {}}
    assert load(config) == config
    assert (
        load('{"cmd": "sleep 99", "env": {"A": "1"}, "cpus": 0.5, "labels": {}}', "apps/web.json")
        == config
    )
    for name in ("apps/web.yaml", "web.yml"):
        assert load("\ufeffcmd: sleep 99\nenv: {A: '1'}\ncpus: 0.5\nlabels: {}\n", name) == config


@pytest.mark.parametrize(
    "url, expected",
    [
        ("pillar:apps:web", {"cmd": "sleep 99", "env": {"TOKEN": "sesame"}}),
        ("pillar:apps:nosuch", "config: pillar:apps:nosuch: empty or missing; should be a mapping"),
        ("pillar:apps:web:cmd", "config: pillar:apps:web:cmd: a str should be a mapping"),
    ],
)
def test_a_definition_can_be_in_pillar(salt, url, expected):
    pillar = {"apps": {"web": {"cmd": "sleep 99", "env": {"TOKEN": "sesame"}}}}
    answer = salt("declaring.loaded", pillar=pillar, name="x", config=url)
    assert expected == (answer["changes"] if answer["result"] else answer["comment"])


def test_yaml_is_converted_to_json_types(load):
    text = """
base: &base {since: 2030-01-01, at: 2030-01-01T00:00:00Z}
web:
  <<: *base
  all: '*'
  on: [1, -0.5, 1.e+3, .5, yes, ~]
"""
    dates = {"since": "2030-01-01", "at": "2030-01-01T00:00:00Z"}
    result = load(text, "dates.yaml")
    assert result == {
        "base": dates,
        "web": {**dates, "all": "*", "true": [1, -0.5, 1000, 0.5, True, None]},
    }


@pytest.mark.parametrize(
    "config, expected",
    [
        (
            "web.yaml",
            "config: 'web.yaml' " + NOT_A_SOURCE,
        ),
        (
            "salt://web.txt",
            "config: 'salt://web.txt' " + NOT_A_SOURCE,
        ),
        (
            "run --password=sesame",
            "config: 'run --password=***' " + NOT_A_SOURCE,
        ),
        (
            [{"cmd": "sesame"}],
            "config: a list " + NOT_A_SOURCE,
        ),
        (
            "salt://no/such.yaml",
            "config: salt://no/such.yaml is not on Salt's file server in environment base",
        ),
        (
            "salt://no/such.json?saltenv=dev",
            "config: salt://no/such.json?saltenv=dev is not on Salt's file server in "
            "environment dev",
        ),
    ],
    ids=str,
)
def test_another_source_of_a_definition_is_rejected(load, config, expected):
    assert load(config) == expected


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("x.yaml", "", "config: empty or missing; should be a mapping"),
        ("x.json", "[]", "config: a list should be a mapping"),
        (
            "x.json",
            "{,}",
            "config: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        ("x.json", '{"a": {"b": 1, "b": 2}}', "config: duplicate key 'b'"),
        ("x.json", '{"a": NaN}', "config: Out of range float values are not JSON compliant"),
        (
            "x.yaml",
            "a:\n  b: 1\n  b: 2\n",
            "config: line 3: while constructing a mapping, duplicate key 'b'",
        ),
        (
            "x.yaml",
            "a: 1\nb: [*]\n",
            "config: line 2: while scanning an alias, did not find expected "
            "alphabetic or numeric character; text that begins with * or & needs quotes",
        ),
        (
            "x.yaml",
            "a: 1\n---\nb: 2\n",
            "config: line 2: expected a single document in the stream, but found another document",
        ),
        (
            "x.yaml",
            "a: !!python/name:os.system\n",
            "config: line 1: could not determine a constructor for the tag",
        ),
        ("x.yaml", "a: &a [*a]\n", "config: Circular reference detected"),
        ("x.yaml", "a: !!set {b}\n", "config: Object of type set is not JSON serializable"),
        (
            "x.yaml",
            "a: 1\nmode: 0644\n",
            f"config: line 2: YAML reads 0644 {OTHER_NUMBER}",
        ),
        (
            "x.yaml",
            "ports: [22:22]",
            f"config: line 1: YAML reads 22:22 {OTHER_NUMBER}",
        ),
        (
            "x.yaml",
            "a: 1_000",
            f"config: line 1: YAML reads 1_000 {OTHER_NUMBER}",
        ),
        (
            "x.yaml",
            "a: .inf",
            f"config: line 1: YAML reads .inf {OTHER_NUMBER}",
        ),
        (
            "x.yaml",
            b"a: \xff",
            "config: 'utf-8' codec can't decode byte 0xff in position 3: invalid start byte",
        ),
        ("x.yaml", "a: \x07", "config: unacceptable character"),
    ],
    ids=str,
)
def test_an_invalid_or_ambiguous_file_is_rejected(load, name, text, expected):
    result = load(text, name)
    assert isinstance(result, str) and result.startswith(expected)
