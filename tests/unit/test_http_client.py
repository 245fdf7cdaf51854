"""How the modules ask over HTTP: whom, with which credentials, and what they make of servers that answer badly or not at all."""

import ast
import gzip
import itertools
import json
import re
import ssl

import pytest
import trustme

from lab import ROOT

# The functions speak HTTP, which Salt has no part in: one line is enough. With both lines the modules
# are loaded (test_modules_loaded.py) and called by the tests of states.
pytestmark = pytest.mark.lines("3008")

HTML = b"<html><head><title>Error 502 Could not determine\n the current leader</title></head><body><h2>HTTP ERROR 502</h2></body></html>"


def http(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An answer as it goes over the wire; without a Content-Length it ends with the connection."""
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


OK = http(b'{"leader": "10.0.0.1:8080"}', Content_Type="application/json")
NO_LEADER = http(b"No leader elected", "503 Service Unavailable", Content_Type="text/plain")
FAST = {"retries": 0, "timeout": 2}


def ask(salt, urls, method="GET", path="/v2/leader", service="marathon", **options):
    """Ask with a Client as the modules do; what came, or the error."""
    connection = {"url": urls, **FAST, **options.pop("connection", {})}
    return salt.call("asking.request", service, method, path, connection=connection, **options)


def header(heard: bytes, name: str) -> str | None:
    """A header of a request that was heard."""
    for line in heard.decode().partition("\r\n\r\n")[0].split("\r\n")[1:]:
        found, _, value = line.partition(": ")
        if found.lower() == name.lower():
            return value
    return None


# --- answers ---


@pytest.mark.parametrize(
    "answer, said",
    [
        (
            http(HTML, "502 Bad Gateway", Content_Type="text/html"),
            "502 Error 502 Could not determine the current leader",
        ),
        (http(b'{"message":"URI not found"}', "500 Internal Server Error"), "500 URI not found"),
        (
            http(
                b"Error proxying request\n\tat java.lang.Thread.run\n", "500 Internal Server Error"
            ),
            "500 Error proxying request",
        ),
        (http(b"", "500 Internal Server Error", Content_Length="300"), "500 Internal Server Error"),
        (
            http(b"", "401 Unauthorized", WWW_Authenticate='Basic realm="x"'),
            '401 Unauthorized: Basic realm="x"',
        ),
        (
            http(b"", "302 Found", Location="http://root:sesame@10.0.0.1/"),
            "redirects to an invalid address",
        ),
        (
            http(b"", "302 Found", Location="https://10.0.0.1/"),
            "redirects to an invalid address",
        ),
        (http(b"", "302 Found", Location="/v2/apps"), "redirects to an invalid address"),
        (http(b"\xff\xfe{", "503 x"), "503 \ufffd\ufffd{"),
        (http(b"{", Content_Length="300"), "closed the connection in the middle of its response"),
        (http(b"no gzip", Content_Encoding="gzip"), "the response is not valid gzip"),
        (
            http(gzip.compress(bytes(65 << 20)), Content_Encoding="gzip"),
            "has more than 67108864 bytes",
        ),
        (b"", "closed the connection without a response"),
        (b"SSH-2.0-OpenSSH_7.4\r\n", "does not speak HTTP (BadStatusLine)"),
        (b"HTTP/1.1 200 OK\r\n" + b"a" * 70000, "does not speak HTTP (LineTooLong)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_answer_is_told_with_method_url_and_a_line_of_it(salt, raw, answer, said):
    server = raw(answer)
    told = ask(salt, server.url)["text"]
    assert (
        told.startswith(f"GET {server.url}/v2/leader: ")
        and said in told
        and "\n" not in told
        and "sesame" not in told
    )


@pytest.mark.parametrize(
    "body, said",
    [
        (b"", "an empty body"),
        (HTML, "Error 502 Could not determine the current leader"),
        (b"\x1b[31m{\r\n", "[31m{"),
        (b"[" * 100_000, "[[["),
        (b"[]", "[]"),
    ],
    ids=["empty", "html", "escape", "deep", "list"],
)
def test_what_is_not_the_expected_json_is_shown(salt, raw, body, said):
    server = raw(http(body))
    assert ask(salt, server.url, json=True)["text"].startswith(
        f"GET {server.url}/v2/leader: the response is not the expected JSON: {said}"
    )


@pytest.mark.parametrize(
    "status, body, error, said, info",
    [
        (400, b"bad", "InvalidRequest", "400 bad", {}),
        (401, HTML, "AccessDenied", "401 Error 502", {}),
        (
            403,
            b'{"message": "Not Authorized to perform this action!"}',
            "AccessDenied",
            "403 Not Authorized",
            {},
        ),
        (
            403,
            b'{"message": "Max number (100) of running deployments is achieved."}',
            "TooManyDeployments",
            "403 Max number",
            {},
        ),
        (
            404,
            b'{"message": "App does not exist"}',
            "NotFound",
            "404 App does not exist",
            {"message": "App does not exist"},
        ),
        (
            409,
            b'{"message": "An app with id [/x] already exists."}',
            "Conflict",
            "409 An app",
            {"deployments": None},
        ),
        (
            409,
            b'{"message": "App is locked", "deployments": [{"id": "d1"}]}',
            "Locked",
            "409 App is locked (d1)",
            {"deployments": ["d1"]},
        ),
        (
            422,
            b'{"message": "Object is not valid", "details": [{"path": "/id", "errors": ["too bad", "really"]}]}',
            "InvalidRequest",
            "422 Object is not valid (/id: too bad, really)",
            {"details": [{"path": "/id", "errors": ["too bad", "really"]}]},
        ),
        (
            422,
            b'{"message": "Invalid JSON", "details": "at 1:1"}',
            "InvalidRequest",
            "422 Invalid JSON (at 1:1)",
            {"details": "at 1:1"},
        ),
        (422, b'{"message": "no"}', "InvalidRequest", "422 no", {"details": None}),
        (500, b'{"message": "URI not found"}', "ServerError", "500 URI not found", {}),
        (
            503,
            b"Master has not finished recovery",
            "NoLeader",
            "503 Master has not finished recovery",
            {},
        ),
        (405, b"", "HttpError", "405 Method Not Allowed", {}),
    ],
)
def test_an_error_is_of_the_kind_that_the_server_means(salt, raw, status, body, error, said, info):
    told = ask(salt, raw(http(body, f"{status} x")).url)
    assert told["error"] == error and told["status"] == status and said in told["text"]
    assert info.items() <= told.items()


def test_a_status_that_the_caller_allows_is_an_answer(salt, raw):
    assert ask(salt, raw(http(b"none", "404 x")).url, allow=[404])["status"] == 404


def test_a_server_that_speaks_no_tls_is_told_so(salt, raw):
    url = raw(OK).url.replace("http:", "https:")
    told = ask(salt, url)["text"]
    assert told.startswith(f"GET {url}/v2/leader: ") and "SSL" in told


def test_a_compressed_answer_is_unpacked(salt, raw):
    body = gzip.compress(json.dumps({"leader": "10.0.0.1:8080", "more": "x" * 100_000}).encode())
    server = raw(http(body, Content_Encoding="gzip", Content_Length=str(len(body))))
    assert len(ask(salt, server.url)["text"]) > 100_000


def test_an_empty_answer_is_one(salt, raw):
    assert ask(salt, raw(http(b"", "204 No Content")).url) | {"url": ""} == {
        "status": 204,
        "text": "",
        "url": "",
    }


# --- requests ---


def test_a_request_says_what_it_wants_and_brings_no_credentials(salt, raw):
    server = raw(OK)
    ask(salt, f"{server.url}/behind/a/proxy/")
    request, *headers = server.heard[0].decode().split("\r\n")
    names = {header.partition(":")[0].lower() for header in headers if header}
    assert request == "GET /behind/a/proxy/v2/leader HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in headers
    assert names == {"host", "accept", "accept-encoding", "connection"}


def test_a_query_repeats_lists_and_leaves_none_out(salt, raw):
    server = raw(OK)
    ask(
        salt,
        server.url,
        params={
            "embed": ["apps.tasks", "apps.counts"],
            "label": "a in (b, c)",
            "cmd": None,
            "force": False,
        },
    )
    assert server.heard[0].startswith(
        b"GET /v2/leader?embed=apps.tasks&embed=apps.counts&label=a%20in%20%28b%2C%20c%29&force=false "
    )


@pytest.mark.parametrize(
    "sent, kind, body",
    [
        (
            {"body": [{"role": "web", "weight": 2.0}]},
            "application/json",
            b'[{"role": "web", "weight": 2.0}]',
        ),
        (
            {"form": {"slaveId": "a-S0", "resources": "[]"}},
            "application/x-www-form-urlencoded",
            b"slaveId=a-S0&resources=%5B%5D",
        ),
    ],
)
def test_what_is_sent_is_json_or_a_form(salt, raw, sent, kind, body):
    server = raw(OK)
    ask(salt, server.url, "POST", **sent)
    assert header(server.heard[0], "content-type") == kind and server.heard[0].endswith(
        b"\r\n\r\n" + body
    )


@pytest.mark.parametrize(
    "connection, authorization",
    [
        ({"username": "root", "password": "sesame"}, "Basic cm9vdDpzZXNhbWU="),
        ({"username": "root"}, "Basic cm9vdDo="),
        ({"token": "sesame"}, "Bearer sesame"),
        ({"token": "sesame", "auth_scheme": "token="}, "token=sesame"),
        ({"headers": {"X-Forwarded-User": "root"}}, None),
    ],
)
def test_credentials_are_sent_as_the_settings_say(salt, raw, connection, authorization):
    server = raw(OK)
    ask(salt, server.url, connection=connection)
    assert header(server.heard[0], "authorization") == authorization
    assert header(server.heard[0], "x-forwarded-user") == connection.get("headers", {}).get(
        "X-Forwarded-User"
    )


def test_credentials_may_stand_in_the_url_and_are_not_shown(salt, raw):
    server = raw(http(b"", "500 x"))
    told = ask(salt, f"http://root:se%3Asame@127.0.0.1:{server.port}/")
    assert header(server.heard[0], "authorization") == "Basic cm9vdDpzZTpzYW1l"
    assert "sesame" not in str(told) and "se:same" not in str(told)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """An authority of our own; where its certificate, and that of a client, stand in files."""
    found = trustme.CA()
    directory = tmp_path_factory.mktemp("authority")
    found.files = {
        "ca_bundle": directory / "ca.pem",
        "cert": directory / "cert.pem",
        "key": directory / "key.pem",
    }
    client = found.issue_cert("client@devops.test")
    found.cert_pem.write_to_path(found.files["ca_bundle"])
    client.cert_chain_pems[0].write_to_path(found.files["cert"])
    client.private_key_pem.write_to_path(found.files["key"])
    found.files = {name: str(path) for name, path in found.files.items()}
    return found


@pytest.fixture
def secure(authority, raw):
    """A server that speaks TLS and wants a certificate of the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return raw(OK, tls=context)


def test_certificates_are_checked_and_shown(salt, authority, secure):
    assert ask(salt, secure.url, connection=authority.files)["status"] == 200
    assert (
        ask(
            salt, secure.url, connection={**authority.files, "ca_bundle": None, "verify_ssl": False}
        )["status"]
        == 200
    )
    told = ask(salt, secure.url)
    assert (
        told["text"].startswith(f"GET {secure.url}/v2/leader: its certificate is not trusted: ")
        and "\n" not in told["text"]
    )
    assert (
        ask(salt, secure.url, connection={"ca_bundle": authority.files["ca_bundle"]})["error"]
        == "Unreachable"
    )


def test_a_redirect_keeps_to_tls(salt, raw, authority, secure):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    good, bad = (
        raw(http(b"", "307 x", Location=f"{scheme}//127.0.0.1:{secure.port}/state"), tls=context)
        for scheme in ("", "http:")
    )
    assert (
        ask(salt, good.url, service="mesos", connection=authority.files)["url"]
        == f"{secure.url}/state"
    )
    assert (
        "redirects to an invalid address"
        in ask(salt, bad.url, service="mesos", connection=authority.files)["text"]
    )


# --- one after another ---


def test_every_candidate_is_asked_until_one_answers_and_all_are_named_if_none_does(
    salt, raw, nobody
):
    silent, broken, good = raw(None), raw(http(HTML, "502 Bad Gateway")), raw(OK)
    bad = [nobody, silent.url, broken.url, "http://no.such.host.invalid:8080"]
    assert ask(salt, [*bad, good.url])["status"] == 200
    told = ask(salt, ",".join(bad))
    assert told["error"] == "NoLeader" and told["text"].splitlines() == [
        f"GET {nobody}/v2/leader: Connection refused",
        f"GET {silent.url}/v2/leader: no response within 2 seconds",
        f"GET {broken.url}/v2/leader: 502 Error 502 Could not determine the current leader",
        "GET http://no.such.host.invalid:8080/v2/leader: host name not found",
    ]


def test_reads_are_repeated_as_often_as_told(salt, raw):
    server = raw(http(b"Master has not finished recovery", "503 x"))
    assert (
        ask(salt, server.url, connection={"retries": 2, "retry_delay": 0.01})["error"] == "NoLeader"
    )
    assert len(server.heard) == 3


def test_all_that_is_asked_together_takes_no_longer_than_allowed(salt, raw):
    silent = [raw(None) for _ in range(4)]
    told = ask(
        salt,
        [server.url for server in silent],
        connection={"timeout": 1, "total_timeout": 1.5, "retries": 9, "retry_delay": 0},
    )
    assert told["error"] == "Unreachable" and sum(len(server.heard) for server in silent) <= 3


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        http(b"{", Content_Length="300"),
        http(b"", "504 Gateway Timeout"),
        http(b'{"message": "futures timed out"}', "503 x"),
        http(b"Error proxying request to leader (maybe the leadership just changed?)", "500 x"),
    ],
    ids=[
        "silence",
        "hung up",
        "half an answer",
        "timeout of a proxy",
        "timeout of Marathon",
        "Chronos",
    ],
)
def test_a_write_whose_answer_was_lost_is_not_repeated(salt, raw, answer):
    server, other = raw(answer), raw(OK)
    told = ask(
        salt,
        [server.url, other.url],
        "POST",
        body={},
        connection={"retries": 3, "retry_delay": 0.01, "timeout": 0.5},
    )
    assert told["error"] == "OutcomeUnknown" and told["text"].endswith(
        "It is not known whether the change was made"
    )
    assert len(server.heard) == 1 and not other.heard


@pytest.mark.parametrize(
    "answer",
    [NO_LEADER, http(b"Master has not finished recovery", "503 x"), http(HTML, "502 Bad Gateway")],
)
def test_a_write_that_nobody_began_with_is_sent_to_the_next(salt, raw, nobody, answer):
    server, other = raw(answer), raw(OK)
    assert ask(salt, [nobody, server.url, other.url], "POST", body={})["status"] == 200
    assert len(server.heard) == len(other.heard) == 1


def test_a_lost_write_is_read_back(salt, raw):
    def write(seen):
        return salt.call(
            "asking.write",
            "mesos",
            "PUT",
            "/weights",
            seen,
            connection={"url": raw(None).url, "timeout": 0.5},
        )

    assert write({"web": 2.0}) == {"status": None, "read_back": {"web": 2.0}}
    with pytest.raises(
        salt.Error,
        match="CommandExecutionError: PUT .*not known.*; reading it back does not show the change",
    ):
        write(None)


def test_a_write_with_a_response_is_not_read_back(salt, raw):
    url = raw(OK).url
    result = salt.call(
        "asking.write", "mesos", "PUT", "/weights", {"web": 2.0}, connection={"url": url}
    )
    assert result == {"status": 200, "read_back": None}


def test_the_last_that_led_is_asked_first_and_forgotten_when_it_dies(salt, raw):
    leader = raw(OK)
    standby = raw(http(b"", "307 x", Location=f"//127.0.0.1:{leader.port}/state"))
    again = raw(OK)
    urls = [standby.url, again.url]
    for _ in range(3):
        assert ask(salt, urls, service="mesos", path="/state")["url"] == f"{leader.url}/state"
    assert len(standby.heard) == 1
    leader.stop()
    assert ask(salt, urls, service="mesos", path="/state")["url"] == f"{again.url}/state"


# --- redirects ---


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_to_another_candidate_is_followed_with_body_and_credentials(salt, raw, method):
    leader = raw(OK)
    standby = raw(http(b"", "307 x", Location=f"//127.0.0.1:{leader.port}/master/api/v1?x=y"))
    body = {"body": {"type": "GET_HEALTH"}} if method == "POST" else {}
    ask(
        salt,
        [standby.url, leader.url],
        method,
        "/api/v1",
        "mesos",
        connection={"username": "root", "password": "sesame"},
        **body,
    )
    assert leader.heard[0].startswith(f"{method} /master/api/v1?x=y ".encode())
    assert header(leader.heard[0], "authorization") == "Basic cm9vdDpzZXNhbWU="
    assert (b'{"type": "GET_HEALTH"}' in leader.heard[0]) == (method == "POST")


def test_credentials_do_not_follow_to_a_host_that_nobody_named(salt, raw):
    foreign = raw(OK)
    standby = raw(http(b"", "307 x", Location=f"//127.0.0.1:{foreign.port}/state"))
    login = {"username": "root", "password": "sesame"}
    told = ask(salt, standby.url, service="mesos", connection=login)
    assert (
        told["error"] == "AccessDenied"
        and f"redirects to 127.0.0.1:{foreign.port}, which is neither in url nor" in told["text"]
    )
    assert not foreign.heard and "sesame" not in told["text"]
    for hosts in (["127.0.0.1"], f"127.0.0.1:{foreign.port}", ["any"]):
        assert (
            ask(salt, standby.url, service="mesos", connection={**login, "redirect_hosts": hosts})[
                "status"
            ]
            == 200
        )
    assert header(foreign.heard[0], "authorization") == "Basic cm9vdDpzZXNhbWU="
    assert ask(salt, standby.url, service="mesos")["status"] == 200  # nothing to give away
    assert header(foreign.heard[-1], "authorization") is None


def test_a_leader_that_is_a_candidate_by_another_name_is_found_with_credentials(salt, raw):
    leader = raw(OK)
    standby = raw(http(b"", "307 x", Location=f"//localhost:{leader.port}/state"))
    told = ask(salt, [standby.url, leader.url], service="mesos", connection={"token": "sesame"})
    assert told["url"].startswith(leader.url)


def test_masters_that_send_each_other_around_come_to_an_end(salt, raw):
    servers = []
    servers += [
        raw(lambda _heard: http(b"", "307 x", Location=f"//127.0.0.1:{servers[1].port}/state"))
        for _ in range(1)
    ]
    servers += [raw(http(b"", "307 x", Location=f"//127.0.0.1:{servers[0].port}/state"))]
    told = ask(salt, [server.url for server in servers], service="mesos")
    assert told["error"] == "NoLeader" and "redirects in a circle" in told["text"]


@pytest.mark.parametrize(
    "location",
    [
        "https://127.0.0.1:{port}/state",
        "ftp://127.0.0.1:{port}/state",
        "/state",
        "//",
        "//h:x/state",
    ],
)
def test_a_redirect_that_leads_nowhere_is_an_error_and_nothing_is_sent(salt, raw, location):
    other = raw(OK)
    standby = raw(http(b"", "307 x", Location=location.format(port=other.port)))
    told = ask(
        salt,
        standby.url,
        service="mesos",
        path="/state",
        connection={"username": "root", "password": "sesame"},
    )
    assert (
        "error" in told
        and told["text"].startswith(f"GET {standby.url}/state: ")
        and "sesame" not in told["text"]
    )
    assert not other.heard and len(standby.heard) == 1


def test_an_agent_is_asked_alone_and_told_no_secret_unless_it_was_named(salt, raw, nobody):
    agent = raw(OK)
    login = {"token": "sesame"}
    ask(salt, nobody, server=agent.url, connection=login)
    ask(salt, nobody, server=agent.url, trusted=True, connection=login)
    ask(salt, nobody, server=agent.url, connection={**login, "redirect_hosts": ["127.0.0.1"]})
    assert [header(heard, "authorization") for heard in agent.heard] == [
        None,
        "Bearer sesame",
        "Bearer sesame",
    ]


# --- settings ---


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "ftp://10.0.0.1",
        "http://10.0.0.1:port",
        "http://10.0.0.1:99999",
        "http://10.0.0.1/?x=y",
        "http://a b/",
        "http://h\u00f6st",
        5,
        {"a": 1},
        [None],
        "http://10.0.0.1,",
        ["http://a,http://b"],
        "http://root:ses/sesame@10.0.0.1",
        "http://r\u00f6t:sesame@10.0.0.1",
        {"http://root:sesame@h": 1},
        ["http://a:sesame@h", "http://b:sesame@h"],
        "zk://root:sesame@10.0.0.1:2181/marathon",
    ],
)
def test_what_is_no_url_is_refused_in_a_sentence(salt, url):
    with pytest.raises(salt.Error, match="^SaltInvocationError: url: ") as caught:
        salt.call("asking.settings", "marathon", url=url)
    assert "sesame" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url, urls",
    [
        ("10.0.0.1:8080", ["http://10.0.0.1:8080"]),
        (
            "http://10.0.0.1/, https://10.0.0.2/service/marathon/",
            ["http://10.0.0.1", "https://10.0.0.2/service/marathon"],
        ),
        (["http://[::1]:8080", "http://[::1]:8080/"], ["http://[::1]:8080"]),
        ("http://root:sesame@h", ["http://h"]),
    ],
)
def test_urls_are_understood_in_the_forms_in_which_people_write_them(salt, url, urls):
    shown = salt.call("asking.settings", "marathon", url=url)
    assert shown["urls"] == urls and "sesame" not in str(shown)
    assert shown["authentication"] == ("basic" if "@" in str(url) else "none")


@pytest.mark.parametrize(
    "setting, value",
    [
        *(("timeout", value) for value in (-1, 0, "5", True, 3601)),
        ("retries", 1.5),
        ("retries", -1),
        ("retry_delay", "x"),
        ("username", "a:b"),
        ("username", 5),
        ("password", 5),
        ("token", ""),
        ("auth_scheme", "a b"),
        ("verify_ssl", "no"),
        ("headers", {"a": 1}),
        ("headers", {"a": "b\r\nc: d"}),
        ("redirect_hosts", {"a": 1}),
        ("tiemout", 5),
        ("test", True),
        ("ca_bundle", "/no/such/file"),
        ("cert", "/no/such/file"),
        ("key", "/no/such/file"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(salt, setting, value):
    with pytest.raises(salt.Error, match=f"^SaltInvocationError: {setting}: ") as caught:
        salt.call("asking.settings", "marathon", **{setting: value})
    assert "\n" not in str(caught.value)


def test_a_name_and_a_token_at_once_are_refused_without_showing_them(salt):
    with pytest.raises(
        salt.Error, match="^SaltInvocationError: token: cannot be combined with username"
    ) as caught:
        salt.call("asking.settings", "mesos", username="root", password="sesame", token="open")
    assert "sesame" not in str(caught.value)


def test_what_salt_adds_to_a_published_call_is_ignored(salt):
    assert (
        salt.call("asking.settings", "mesos", __pub_user="root", __pub_jid="1")["authentication"]
        == "none"
    )


def test_the_call_counts_before_the_profile_and_that_before_the_configuration(salt):
    pillar = {
        "mesos": {
            "url": "http://a",
            "timeout": 1,
            "api": {"timeout": 2, "username": "root", "password": "sesame"},
            "east": {"timeout": 3, "url": ["http://b"]},
        }
    }

    def shown(**arguments):
        found = salt.call("asking.settings", "mesos", pillar=pillar, **arguments)
        return found["urls"], found["timeout"], found["authentication"]

    assert shown() == (["http://a"], 2, "basic")
    assert shown(profile="east") == (["http://b"], 3, "none")
    assert shown(profile="east", timeout=4, url="http://c") == (["http://c"], 4, "none")
    assert shown(profile={"token": "sesame"}) == (["http://127.0.0.1:9"], 15, "bearer")
    for profile in ("west", "url", 5, "a:b", {"tiemout": 5}):
        with pytest.raises(salt.Error, match="^SaltInvocationError: profile: "):
            shown(profile=profile)


def test_a_secret_may_be_an_sdb_uri(salt, tmp_path, monkeypatch):
    pillar = {"mesos": {"url": "http://a", "api": {"token": "sdb://environment/HOME"}}}
    shown = salt.call("asking.settings", "mesos", pillar=pillar)
    assert shown["authentication"] == "bearer"


@pytest.mark.parametrize(
    "service, directory, nodes, expected",
    [
        (
            "mesos",
            "/mesos",
            {
                "json.info_0000000012": "",
                "json.info_0000000009": '{"hostname": "h", "port": 1, "address": '
                '{"hostname": "h", "ip": "10.0.0.9", "port": 5050}}',
                "log_replicas": "",
                "info_0000000001": "",
            },
            "http://10.0.0.9:5050",
        ),
        (
            "mesos",
            "/mesos",
            {"json.info_0000000001": '{"hostname": "h9", "port": 5050, "ip": 16777343}'},
            "http://h9:5050",
        ),
        (
            "marathon",
            "/m/leader-curator",
            {"_c_zz-latch-0000000003": "10.0.0.3:8080", "_c_aa-latch-0000000004": ""},
            "http://10.0.0.3:8080",
        ),
        ("marathon", "/m/leader", {"member_0000000003": "10.0.0.4:8080"}, "http://10.0.0.4:8080"),
        (
            "chronos",
            "/c/state/candidate",
            {"_c_zz-latch-0000000003": "10.0.0.5:4400"},
            "http://10.0.0.5:4400",
        ),
    ],
)
def test_a_zk_url_names_the_leader_with_the_lowest_number(
    salt, service, directory, nodes, expected
):
    path = {"mesos": "mesos", "marathon": "m", "chronos": "c/state"}[service]
    login = {
        "hosts": "10.0.0.1:2181,10.0.0.2:2181",
        "scheme": "digest",
        "username": "u",
        "password": "p:w",
    }
    pillar = {"znodes": {directory: nodes}, "znodes_login": login}
    shown = salt.call(
        "asking.settings",
        service,
        pillar=pillar,
        url=f"zk://u:p%3Aw@10.0.0.1:2181,10.0.0.2:2181/{path}",
    )
    assert shown["urls"] == [expected]


def test_a_zk_url_without_candidates_is_no_leader(salt):
    for nodes in ({}, {"/mesos": {"log_replicas": ""}}):
        with pytest.raises(
            salt.Error,
            match=r"CommandExecutionError: zk://10.0.0.1:2181/mesos: there is no candidate for leadership",
        ):
            salt.call(
                "asking.settings", "mesos", pillar={"znodes": nodes}, url="zk://10.0.0.1:2181/mesos"
            )


@pytest.mark.parametrize(
    "function, default",
    [("mesos.leader", 5050), ("marathon.leader", 8080), ("chronos.leader", 4400)],
)
@pytest.mark.parametrize(
    "pillar",
    [{}, {"mesos": {"url": None}, "marathon": {"url": []}, "chronos": {"url": ""}}],
    ids=["unset", "empty"],
)
def test_without_any_url_the_daemon_of_this_host_is_asked(salt, function, default, pillar):
    try:
        answer = salt.call(function, pillar=pillar, retries=0)
    except salt.Error as error:  # as a rule nobody listens there
        answer = str(error)
    assert f"127.0.0.1:{default}" in str(answer)


# --- reloads ---


HELPERS = ("_text", "_http_settings", "_http_client")


@pytest.mark.parametrize(
    "helpers, error_class",
    [
        ([], "Unreachable, the old class"),
        (["_text", "_http_settings"], "Unreachable, the old class"),
        *((order, "Unreachable, a new class") for order in itertools.permutations(HELPERS)),
    ],
    ids=str,
)
def test_an_error_is_caught_after_the_helpers_were_reloaded(salt, nobody, helpers, error_class):
    assert salt.call("asking.error_after_reloads", nobody, list(helpers)) == error_class


@pytest.mark.parametrize("folder", ["_modules", "_states"])
def test_a_file_reloads_the_helpers_that_it_imports_and_takes_no_names_out_of_them(folder):
    helpers = {path.stem for path in (ROOT / folder).glob("_*.py")}
    for path in (ROOT / folder).glob("*.py"):
        tree = ast.parse(path.read_text())
        imports = [node for node in tree.body if isinstance(node, ast.Import)]
        imported = {name.name for node in imports for name in node.names} & helpers
        reloaded = set(re.findall(r"^importlib.reload\((\w+)\)", path.read_text(), re.MULTILINE))
        assert reloaded == imported, path.name
        sources = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not sources & helpers, path.name
