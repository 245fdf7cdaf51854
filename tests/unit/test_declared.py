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
        return answer["result"], answer["changes"], answer["comment"], len(made.read_text().splitlines())
    return apply


def test_what_is_as_declared_is_left_alone(keep):
    for test in (True, False):
        assert keep({}, test) == (True, {}, "It is as declared", 0)


def test_a_test_reports_the_changes_that_are_then_made_and_makes_none(keep):
    assert keep(CHANGES, True) == (None, CHANGES, "It would be changed", 0)
    assert keep(CHANGES) == (True, CHANGES, "It was changed", 1)


@pytest.mark.parametrize("arguments", [{"unreadable": "Nobody answers"}, {"wrong": "mode: x should be y"}], ids=str)
def test_what_cannot_be_planned_fails_without_changes(keep, arguments):
    for test in (True, False):
        assert keep(CHANGES, test, **arguments) == (False, {}, *arguments.values(), 0)


def test_what_was_not_done_is_no_change(keep):
    assert keep(CHANGES, fails="It was refused") == (False, {}, "It was refused", 1)


def test_what_was_done_in_vain_or_in_part_is_a_change_of_a_state_that_failed(keep):
    assert keep(CHANGES, breaks="It came to nothing") == (False, CHANGES, "It came to nothing", 1)
    assert keep({**CHANGES, **SECRET}, breaks="Half of it", done=SECRET) == (False, UNSEEN, "Half of it", 1)
    assert keep(CHANGES, breaks="Nothing of it", done={}) == (False, {}, "Nothing of it", 1)


def test_secrets_are_shown_only_to_those_who_ask_for_them(keep):
    assert keep(SECRET)[1] == keep(SECRET, True)[1] == keep(SECRET, breaks="It broke")[1] == UNSEEN
    assert keep(SECRET, show_secrets=True)[1] == keep(SECRET, True, show_secrets=True)[1] == SECRET


@pytest.mark.parametrize("path, value, shown", [
    ("/env/DB_PASSWORD", "sesame", "***"),
    ("/env/api_token", 7, "***"),
    ("/labels/AWS_SECRET", ["a", "b"], ["***", "***"]),
    ("/env/SSH_KEY", None, None),
    ("/env/USE_PASSWORD", True, True),
    ("/passwords/user", "me", "me"),
    ("/env/USER", "me", "me"),
    ("/env", {"DB_PASSWORD": "sesame", "USER": "me", "PORT": 1}, {"DB_PASSWORD": "***", "USER": "me", "PORT": 1}),
    ("/", {"env": {"CREDENTIALS": "sesame"}, "instances": 2}, {"env": {"CREDENTIALS": "***"}, "instances": 2}),
    ("/environmentVariables", [{"name": "TOKEN", "value": "sesame"}, {"name": "USER", "value": "me"}],
     [{"name": "TOKEN", "value": "***"}, {"name": "USER", "value": "me"}]),
    ("/parameters", [{"key": "hostname", "value": "web"}, {"key": "env", "value": "DB_PASSWORD=sesame"}],
     [{"key": "hostname", "value": "web"}, {"key": "env", "value": "DB_PASSWORD=***"}]),
    ("/fetch/0/uri", "http://me:sesame@example.com/a.tgz", "http://***@example.com/a.tgz"),
    ("/cmd", "run --password=sesame --user me", "run --password=*** --user me"),
    ("/cmd", "run --password 'open sesame' --api-key \"a b\" now", "run --password *** --api-key *** now"),
    ("/cmd", """run '{"password": "open sesame", "user": "me"}'""", """run '{"password": ***, "user": "me"}'"""),
    ("/cmd", "AUTH_TOKEN=sesame DB_PASSWORD=simsim exec run", "AUTH_TOKEN=*** DB_PASSWORD=*** exec run"),
    ("/cmd", "curl http://me:sesame@example.com/?token=simsim", "curl http://***@example.com/?token=***"),
    ("/cmd", "sleep 3600", "sleep 3600"),
], ids=str)
def test_what_is_nobodys_business_is_hidden_before_and_after(keep, path, value, shown):
    changes = {path: {"old": value, "new": value}, "/x": {"old": 1, "new": 2}}
    assert keep(changes, True)[1] == {path: {"old": shown, "new": shown}, "/x": {"old": 1, "new": 2}}
