"""What all declarations have in common: what they report, when they change something, and what they do not tell."""

import pytest

CHANGES = {"/labels/team": {"old": "a", "new": "b"}}
SECRET = {"/env/PASSWORD": {"old": None, "new": "sesame"}}
UNSEEN = {"/env/PASSWORD": {"old": None, "new": "***"}}


@pytest.fixture
def keep(salt, tmp_path):
    """Apply a declaration; returns its result, changes and comment, and how often changes were made."""

    def apply(changes, test=False, **arguments):
        made = tmp_path / "made"
        made.write_text("")
        answer = salt("declaring.kept", test, name=str(made), changes=changes, **arguments)
        assert answer["name"] == str(made)
        return (
            answer["result"],
            answer["changes"],
            answer["comment"],
            len(made.read_text().splitlines()),
        )

    return apply


def test_what_is_as_declared_is_left_alone(keep):
    for test in (True, False):
        assert keep({}, test) == (True, {}, "It is as declared", 0)


def test_a_test_reports_the_changes_that_are_then_made_and_makes_none(keep):
    assert keep(CHANGES, True) == (None, CHANGES, "It would be changed", 0)
    assert keep(CHANGES) == (True, CHANGES, "It was changed", 1)


@pytest.mark.parametrize(
    "arguments", [{"unreadable": "Nobody answers"}, {"wrong": "mode: x should be y"}], ids=str
)
def test_what_cannot_be_planned_fails_without_changes(keep, arguments):
    for test in (True, False):
        assert keep(CHANGES, test, **arguments) == (False, {}, *arguments.values(), 0)


def test_what_was_not_done_is_no_change(keep):
    assert keep(CHANGES, fails="It was refused") == (False, {}, "It was refused", 1)


def test_what_was_done_in_vain_or_in_part_is_a_change_of_a_state_that_failed(keep):
    assert keep(CHANGES, breaks="It came to nothing") == (False, CHANGES, "It came to nothing", 1)
    assert keep({**CHANGES, **SECRET}, breaks="Half of it", done=SECRET) == (
        False,
        UNSEEN,
        "Half of it",
        1,
    )
    assert keep(CHANGES, breaks="Nothing of it", done={}) == (False, {}, "Nothing of it", 1)


def test_secrets_are_shown_only_to_those_who_ask_for_them(keep):
    assert keep(SECRET)[1] == keep(SECRET, True)[1] == keep(SECRET, breaks="It broke")[1] == UNSEEN
    assert keep(SECRET, show_secrets=True)[1] == keep(SECRET, True, show_secrets=True)[1] == SECRET


@pytest.mark.parametrize(
    "path, value, shown",
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
def test_what_is_nobodys_business_is_hidden_before_and_after(keep, path, value, shown):
    changes = {path: {"old": value, "new": value}, "/x": {"old": 1, "new": 2}}
    assert keep(changes, True)[1] == {
        path: {"old": shown, "new": shown},
        "/x": {"old": 1, "new": 2},
    }


# --- declarations in files ---


@pytest.fixture
def defined(salt):
    """Read a declaration; returns the mapping, or what is wrong with it, without the URL of the file."""

    def read(config, name=None):
        url = salt.serve(name, config) if name else config
        answer = salt("declaring.defined", name="x", config=url)
        assert "\n" not in answer["comment"]
        return answer["changes"] if answer["result"] else answer["comment"].replace(f"{url}: ", "")

    return read


def test_a_declaration_is_a_mapping_or_a_file_in_json_or_yaml(defined):
    config = {"cmd": "sleep 99", "env": {"A": "1"}, "cpus": 0.5, "labels": {}}
    assert defined(config) == config
    assert (
        defined(
            '{"cmd": "sleep 99", "env": {"A": "1"}, "cpus": 0.5, "labels": {}}', "apps/web.json"
        )
        == config
    )
    for name in ("apps/web.yaml", "web.yml"):
        assert (
            defined("\ufeffcmd: sleep 99\nenv: {A: '1'}\ncpus: 0.5\nlabels: {}\n", name) == config
        )


@pytest.mark.parametrize(
    "url, said",
    [
        ("pillar:apps:web", {"cmd": "sleep 99", "env": {"TOKEN": "sesame"}}),
        ("pillar:apps:nosuch", "config: pillar:apps:nosuch: nothing should be a mapping"),
        ("pillar:apps:web:cmd", "config: pillar:apps:web:cmd: a str should be a mapping"),
    ],
)
def test_a_declaration_may_stand_in_pillar(salt, url, said):
    pillar = {"apps": {"web": {"cmd": "sleep 99", "env": {"TOKEN": "sesame"}}}}
    answer = salt("declaring.defined", pillar=pillar, name="x", config=url)
    assert said == (answer["changes"] if answer["result"] else answer["comment"])


def test_what_yaml_knows_as_the_same_value_is_json(defined):
    text = "base: &base {since: 2030-01-01, at: 2030-01-01T00:00:00Z}\nweb:\n  <<: *base\n  all: '*'\n  on: [1, -0.5, 1.e+3, .5, yes, ~]\n"
    dates = {"since": "2030-01-01", "at": "2030-01-01T00:00:00Z"}
    found = defined(text, "dates.yaml")
    assert found == {
        "base": dates,
        "web": {**dates, "all": "*", "true": [1, -0.5, 1000, 0.5, True, None]},
    }


@pytest.mark.parametrize(
    "config, said",
    [
        (
            "web.yaml",
            "config: 'web.yaml' should be a mapping, or a file such as salt://apps/web.yaml or .json",
        ),
        (
            "salt://web.txt",
            "config: 'salt://web.txt' should be a mapping, or a file such as salt://apps/web.yaml or .json",
        ),
        (
            "run --password=sesame",
            "config: 'run --password=***' should be a mapping, or a file such as salt://apps/web.yaml or .json",
        ),
        (
            [{"cmd": "sesame"}],
            "config: a list should be a mapping, or a file such as salt://apps/web.yaml or .json",
        ),
        (
            "salt://no/such.yaml",
            "config: salt://no/such.yaml is not on Salt's file server, in the environment base",
        ),
        (
            "salt://no/such.json?saltenv=dev",
            "config: salt://no/such.json?saltenv=dev is not on Salt's file server, in the environment dev",
        ),
    ],
    ids=str,
)
def test_what_is_neither_is_refused(defined, config, said):
    assert defined(config) == said


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("x.yaml", "", "config: nothing should be a mapping"),
        ("x.json", "[]", "config: a list should be a mapping"),
        (
            "x.json",
            "{,}",
            "config: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        ("x.json", '{"a": {"b": 1, "b": 2}}', "config: the same key twice: 'b'"),
        ("x.json", '{"a": NaN}', "config: Out of range float values are not JSON compliant"),
        (
            "x.yaml",
            "a:\n  b: 1\n  b: 2\n",
            "config: line 3: while constructing a mapping, the same key twice: 'b'",
        ),
        (
            "x.yaml",
            "a: 1\nb: [*]\n",
            "config: line 2: while scanning an alias, did not find expected alphabetic or numeric character;"
            " a text that begins with * or & needs quotes",
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
            "config: line 2: YAML takes 0644 for another number; put it in quotes, or write that number",
        ),
        (
            "x.yaml",
            "ports: [22:22]",
            "config: line 1: YAML takes 22:22 for another number; put it in quotes, or write that number",
        ),
        (
            "x.yaml",
            "a: 1_000",
            "config: line 1: YAML takes 1_000 for another number; put it in quotes, or write that number",
        ),
        (
            "x.yaml",
            "a: .inf",
            "config: line 1: YAML takes .inf for another number; put it in quotes, or write that number",
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
def test_a_file_that_says_something_else_than_one_reads_there_is_refused(defined, name, text, said):
    found = defined(text, name)
    assert isinstance(found, str) and found.startswith(said)
