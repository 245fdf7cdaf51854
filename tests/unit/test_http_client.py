"""The HTTP client of the modules: servers, credentials, redirects, errors and settings."""

import ast
import gzip
import itertools
import json
import re
import ssl

import pytest
import trustme

from lab import ROOT

# The functions speak HTTP, which Salt has no part in: one line is enough. With both lines the
# modules are loaded (test_modules_loaded.py) and called by the tests of states.
pytestmark = pytest.mark.lines("3008")

HTML = (
    b"<html><head><title>Error 502 Could not determine\n the current leader</title></head>"
    b"<body><h2>HTTP ERROR 502</h2></body></html>"
)


def http(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """Return the bytes of a response. Without a Content-Length it ends with the connection."""
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


OK = http(b'{"leader": "10.0.0.1:8080"}', Content_Type="application/json")
NO_LEADER = http(b"No leader elected", "503 Service Unavailable", Content_Type="text/plain")
FAST = {"retries": 0, "timeout": 2}


def ask(salt, urls, method="GET", path="/v2/leader", service="marathon", **options):
    """Send a request with a Client as the modules do. Returns the response, or the error."""
    connection = {"url": urls, **FAST, **options.pop("connection", {})}
    return salt.call("asking.request", service, method, path, connection=connection, **options)


def header(heard: bytes, name: str) -> str | None:
    """Return a header of a received request, None if it is missing."""
    for line in heard.decode().partition("\r\n\r\n")[0].split("\r\n")[1:]:
        key, _, value = line.partition(": ")
        if key.lower() == name.lower():
            return value
    return None


# --- responses ---


@pytest.mark.parametrize(
    "answer, expected",
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
def test_the_error_of_a_bad_response_has_method_url_and_reason(salt, raw, answer, expected):
    server = raw(answer)
    result = ask(salt, server.url)["text"]
    assert (
        result.startswith(f"GET {server.url}/v2/leader: ")
        and expected in result
        and "\n" not in result
        and "sesame" not in result
    )


@pytest.mark.parametrize(
    "body, expected",
    [
        (b"", "an empty body"),
        (HTML, "Error 502 Could not determine the current leader"),
        (b"\x1b[31m{\r\n", "[31m{"),
        (b"[" * 100_000, "[[["),
        (b"[]", "[]"),
    ],
    ids=["empty", "html", "escape", "deep", "list"],
)
def test_a_response_that_is_not_the_expected_json_is_quoted(salt, raw, body, expected):
    server = raw(http(body))
    assert ask(salt, server.url, json=True)["text"].startswith(
        f"GET {server.url}/v2/leader: the response is not the expected JSON: {expected}"
    )


@pytest.mark.parametrize(
    "status, body, error, expected, info",
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
            b'{"message": "Object is not valid", '
            b'"details": [{"path": "/id", "errors": ["too bad", "really"]}]}',
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
def test_the_class_of_an_error_depends_on_status_and_message(
    salt, raw, status, body, error, expected, info
):
    result = ask(salt, raw(http(body, f"{status} x")).url)
    assert result["error"] == error and result["status"] == status and expected in result["text"]
    assert info.items() <= result.items()


def test_a_status_that_the_caller_allows_is_not_an_error(salt, raw):
    assert ask(salt, raw(http(b"none", "404 x")).url, allow=[404])["status"] == 404


def test_https_to_a_server_without_tls_is_an_error(salt, raw):
    url = raw(OK).url.replace("http:", "https:")
    result = ask(salt, url)["text"]
    assert result.startswith(f"GET {url}/v2/leader: ") and "SSL" in result


def test_a_compressed_response_is_decompressed(salt, raw):
    body = gzip.compress(json.dumps({"leader": "10.0.0.1:8080", "more": "x" * 100_000}).encode())
    server = raw(http(body, Content_Encoding="gzip", Content_Length=str(len(body))))
    assert len(ask(salt, server.url)["text"]) > 100_000


def test_an_empty_response_is_not_an_error(salt, raw):
    assert ask(salt, raw(http(b"", "204 No Content")).url) | {"url": ""} == {
        "status": 204,
        "text": "",
        "url": "",
    }


# --- requests ---


def test_a_request_has_these_headers_and_no_credentials(salt, raw):
    server = raw(OK)
    ask(salt, f"{server.url}/behind/a/proxy/")
    request, *headers = server.heard[0].decode().split("\r\n")
    names = {header.partition(":")[0].lower() for header in headers if header}
    assert request == "GET /behind/a/proxy/v2/leader HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in headers
    assert names == {"host", "accept", "accept-encoding", "connection", "user-agent"}


def test_a_query_repeats_the_key_of_a_list_and_omits_none(salt, raw):
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
        b"GET /v2/leader?embed=apps.tasks&embed=apps.counts"
        b"&label=a%20in%20%28b%2C%20c%29&force=false "
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
def test_content_is_sent_as_json_or_as_a_form(salt, raw, sent, kind, body):
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
def test_credentials_are_sent_as_configured(salt, raw, connection, authorization):
    server = raw(OK)
    ask(salt, server.url, connection=connection)
    assert header(server.heard[0], "authorization") == authorization
    assert header(server.heard[0], "x-forwarded-user") == connection.get("headers", {}).get(
        "X-Forwarded-User"
    )


def test_credentials_can_be_in_the_url_and_are_not_shown(salt, raw):
    server = raw(http(b"", "500 x"))
    result = ask(salt, f"http://root:se%3Asame@127.0.0.1:{server.port}/")
    assert header(server.heard[0], "authorization") == "Basic cm9vdDpzZTpzYW1l"
    assert "sesame" not in str(result) and "se:same" not in str(result)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority, with files of its certificate and of a client certificate."""
    ca = trustme.CA()
    directory = tmp_path_factory.mktemp("authority")
    ca.files = {
        "ca_bundle": directory / "ca.pem",
        "cert": directory / "cert.pem",
        "key": directory / "key.pem",
    }
    client = ca.issue_cert("client@devops.test")
    ca.cert_pem.write_to_path(ca.files["ca_bundle"])
    client.cert_chain_pems[0].write_to_path(ca.files["cert"])
    client.private_key_pem.write_to_path(ca.files["key"])
    ca.files = {name: str(path) for name, path in ca.files.items()}
    return ca


@pytest.fixture
def secure(authority, raw):
    """A TLS server that requires a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return raw(OK, tls=context)


def test_certificates_are_verified_and_the_client_certificate_is_sent(salt, authority, secure):
    assert ask(salt, secure.url, connection=authority.files)["status"] == 200
    assert (
        ask(
            salt, secure.url, connection={**authority.files, "ca_bundle": None, "verify_ssl": False}
        )["status"]
        == 200
    )
    result = ask(salt, secure.url)
    assert (
        result["text"].startswith(f"GET {secure.url}/v2/leader: its certificate is not trusted: ")
        and "\n" not in result["text"]
    )
    assert (
        ask(salt, secure.url, connection={"ca_bundle": authority.files["ca_bundle"]})["error"]
        == "Unreachable"
    )


def test_a_redirect_from_https_to_http_is_an_error(salt, raw, authority, secure):
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


# --- several servers ---


def test_servers_are_tried_until_one_responds_and_all_errors_are_reported(salt, raw, nobody):
    silent, broken, good = raw(None), raw(http(HTML, "502 Bad Gateway")), raw(OK)
    bad = [nobody, silent.url, broken.url, "http://no.such.host.invalid:8080"]
    assert ask(salt, [*bad, good.url])["status"] == 200
    result = ask(salt, ",".join(bad))
    assert result["error"] == "NoLeader" and result["text"].splitlines() == [
        f"GET {nobody}/v2/leader: Connection refused",
        f"GET {silent.url}/v2/leader: no response within 2 seconds",
        f"GET {broken.url}/v2/leader: 502 Error 502 Could not determine the current leader",
        "GET http://no.such.host.invalid:8080/v2/leader: host name not found",
    ]


def test_reads_are_retried_as_often_as_configured(salt, raw):
    server = raw(http(b"Master has not finished recovery", "503 x"))
    assert (
        ask(salt, server.url, connection={"retries": 2, "retry_delay": 0.01})["error"] == "NoLeader"
    )
    assert len(server.heard) == 3


def test_all_tries_together_take_no_longer_than_total_timeout(salt, raw):
    silent = [raw(None) for _ in range(4)]
    result = ask(
        salt,
        [server.url for server in silent],
        connection={"timeout": 1, "total_timeout": 1.5, "retries": 9, "retry_delay": 0},
    )
    assert result["error"] == "Unreachable" and sum(len(server.heard) for server in silent) <= 3


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
def test_a_write_whose_response_was_lost_is_not_retried(salt, raw, answer):
    server, second_server = raw(answer), raw(OK)
    result = ask(
        salt,
        [server.url, second_server.url],
        "POST",
        body={},
        connection={"retries": 3, "retry_delay": 0.01, "timeout": 0.5},
    )
    assert result["error"] == "OutcomeUnknown" and result["text"].endswith(
        "It is not known whether the change was made"
    )
    assert len(server.heard) == 1 and not second_server.heard


@pytest.mark.parametrize(
    "answer",
    [NO_LEADER, http(b"Master has not finished recovery", "503 x"), http(HTML, "502 Bad Gateway")],
)
def test_a_write_that_was_not_processed_is_sent_to_the_next_server(salt, raw, nobody, answer):
    server, second_server = raw(answer), raw(OK)
    assert ask(salt, [nobody, server.url, second_server.url], "POST", body={})["status"] == 200
    assert len(server.heard) == len(second_server.heard) == 1


def test_a_lost_write_is_read_back(salt, raw):
    def write(visible_value):
        return salt.call(
            "asking.write",
            "mesos",
            "PUT",
            "/weights",
            visible_value,
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


def test_the_previous_leader_is_tried_first_until_it_fails(salt, raw):
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
def test_a_redirect_to_a_server_in_url_is_followed_with_body_and_credentials(salt, raw, method):
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


def test_credentials_are_not_sent_to_a_host_that_is_not_configured(salt, raw):
    foreign = raw(OK)
    standby = raw(http(b"", "307 x", Location=f"//127.0.0.1:{foreign.port}/state"))
    login = {"username": "root", "password": "sesame"}
    result = ask(salt, standby.url, service="mesos", connection=login)
    assert (
        result["error"] == "AccessDenied"
        and f"redirects to 127.0.0.1:{foreign.port}, which is neither in url nor" in result["text"]
    )
    assert not foreign.heard and "sesame" not in result["text"]
    for hosts in (["127.0.0.1"], f"127.0.0.1:{foreign.port}", ["any"]):
        assert (
            ask(salt, standby.url, service="mesos", connection={**login, "redirect_hosts": hosts})[
                "status"
            ]
            == 200
        )
    assert header(foreign.heard[0], "authorization") == "Basic cm9vdDpzZXNhbWU="
    assert (
        ask(salt, standby.url, service="mesos")["status"] == 200
    )  # There are no credentials to send.
    assert header(foreign.heard[-1], "authorization") is None


def test_a_leader_under_another_name_of_a_configured_server_gets_credentials(salt, raw):
    leader = raw(OK)
    standby = raw(http(b"", "307 x", Location=f"//localhost:{leader.port}/state"))
    result = ask(salt, [standby.url, leader.url], service="mesos", connection={"token": "sesame"})
    assert result["url"].startswith(leader.url)


def test_a_circle_of_redirects_is_an_error(salt, raw):
    servers = []

    def redirect_to(number):
        return http(b"", "307 x", Location=f"//127.0.0.1:{servers[number].port}/state")

    servers.append(raw(lambda _request: redirect_to(1)))
    servers.append(raw(redirect_to(0)))
    result = ask(salt, [server.url for server in servers], service="mesos")
    assert result["error"] == "NoLeader" and "redirects in a circle" in result["text"]


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
def test_an_invalid_redirect_is_an_error_and_is_not_followed(salt, raw, location):
    second_server = raw(OK)
    standby = raw(http(b"", "307 x", Location=location.format(port=second_server.port)))
    result = ask(
        salt,
        standby.url,
        service="mesos",
        path="/state",
        connection={"username": "root", "password": "sesame"},
    )
    assert (
        "error" in result
        and result["text"].startswith(f"GET {standby.url}/state: ")
        and "sesame" not in result["text"]
    )
    assert not second_server.heard and len(standby.heard) == 1


def test_a_single_agent_gets_credentials_only_if_it_is_trusted(salt, raw, nobody):
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
    ],
)
def test_an_invalid_url_is_rejected_in_one_line(salt, url):
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
def test_urls_are_accepted_in_several_forms(salt, url, urls):
    settings = salt.call("asking.settings", "marathon", url=url)
    assert settings["urls"] == urls and "sesame" not in str(settings)
    assert settings["authentication"] == ("basic" if "@" in str(url) else "none")


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
def test_an_invalid_setting_is_named(salt, setting, value):
    with pytest.raises(salt.Error, match=f"^SaltInvocationError: {setting}: ") as caught:
        salt.call("asking.settings", "marathon", **{setting: value})
    assert "\n" not in str(caught.value)


def test_a_username_together_with_a_token_is_rejected_without_showing_them(salt):
    with pytest.raises(
        salt.Error, match="^SaltInvocationError: token: cannot be combined with username"
    ) as caught:
        salt.call("asking.settings", "mesos", username="root", password="sesame", token="open")
    assert "sesame" not in str(caught.value)


def test_arguments_that_salt_adds_to_a_published_call_are_ignored(salt):
    assert (
        salt.call("asking.settings", "mesos", __pub_user="root", __pub_jid="1")["authentication"]
        == "none"
    )


def test_the_call_overrides_the_profile_and_the_profile_overrides_the_configuration(salt):
    pillar = {
        "mesos": {
            "url": "http://a",
            "timeout": 1,
            "api": {"timeout": 2, "username": "root", "password": "sesame"},
            "east": {"timeout": 3, "url": ["http://b"]},
        }
    }

    def settings(**arguments):
        public = salt.call("asking.settings", "mesos", pillar=pillar, **arguments)
        return public["urls"], public["timeout"], public["authentication"]

    assert settings() == (["http://a"], 2, "basic")
    assert settings(profile="east") == (["http://b"], 3, "none")
    assert settings(profile="east", timeout=4, url="http://c") == (["http://c"], 4, "none")
    assert settings(profile={"token": "sesame"}) == (["http://127.0.0.1:9"], 15, "bearer")
    for profile in ("west", "url", 5, "a:b", {"tiemout": 5}):
        with pytest.raises(salt.Error, match="^SaltInvocationError: profile: "):
            settings(profile=profile)


def test_a_secret_can_be_an_sdb_uri(salt, tmp_path, monkeypatch):
    pillar = {"mesos": {"url": "http://a", "api": {"token": "sdb://environment/HOME"}}}
    settings = salt.call("asking.settings", "mesos", pillar=pillar)
    assert settings["authentication"] == "bearer"


@pytest.mark.parametrize(
    "function, default",
    [("mesos.leader", 5050), ("marathon.leader", 8080), ("chronos.leader", 4400)],
)
@pytest.mark.parametrize(
    "pillar",
    [{}, {"mesos": {"url": None}, "marathon": {"url": []}, "chronos": {"url": ""}}],
    ids=["unset", "empty"],
)
def test_without_a_url_the_local_daemon_is_queried(salt, function, default, pillar):
    try:
        answer = salt.call(function, pillar=pillar, retries=0)
    except salt.Error as error:  # Usually nothing listens there.
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
