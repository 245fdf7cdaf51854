"""How the modules ask over HTTP: what they make of servers that answer badly or not at all. marathon.leader does the asking."""

import gzip
import json

import pytest

HTML = b"<html><head><title>Error 502 Could not determine\n the current leader</title></head><body><h2>HTTP ERROR 502</h2></body></html>"


def http(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An answer as it goes over the wire; without a Content-Length it ends with the connection."""
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


LEADER = http(json.dumps({"leader": "10.0.0.1:8080"}).encode())


def refused(salt, url, **arguments) -> str:
    """What marathon.leader says where it fails."""
    with pytest.raises(salt.Error) as caught:
        salt.call("marathon.leader", url=url, **arguments)
    kind, _, said = str(caught.value).partition(": ")
    assert kind == "CommandExecutionError", said
    return said


def test_the_leader_is_known_by_its_url_host_and_port(salt, raw):
    assert salt.call("marathon.leader", url=raw(LEADER).url) == {"url": "http://10.0.0.1:8080", "host": "10.0.0.1", "port": 8080}


@pytest.mark.parametrize("answer, said", [
    (http(HTML, "502 Bad Gateway", Content_Type="text/html"), "502 Error 502 Could not determine the current leader"),
    (http(HTML, Content_Type="text/html"), "not the JSON that was expected: Error 502 Could not determine the current leader"),
    (http(b'{"message":"URI not found"}', "500 Internal Server Error"), "500 URI not found"),
    (http(b"Error proxying request\n\tat java.lang.Thread.run\n", "500 Internal Server Error"), "500 Error proxying request"),
    (http(b"", "500 Internal Server Error", Content_Length="300"), "500 Internal Server Error"),
    (http(b"", "401 Unauthorized"), "401 Unauthorized"),
    (http(b""), "not the JSON that was expected: nothing at all"),
    (http(b"\x1b[31m{\r\n"), "not the JSON that was expected: [31m{"),
    (http(b"[" * 100_000), "not the JSON that was expected: [[["),
    (http(b"", "302 Found", Location="http://root:sesame@10.0.0.1/"), "302 Found, see http://***@10.0.0.1/"),
    (http(b"[]"), "not the JSON that was expected: []"),
    (http(b"\xff\xfe{", "503 x"), "503 \ufffd\ufffd{"),
    (http(b"{", Content_Length="300"), "hung up in the middle of its answer"),
    (http(b"no gzip", Content_Encoding="gzip"), "is said to be gzip and is not"),
    (http(gzip.compress(bytes(65 << 20)), Content_Encoding="gzip"), "more than 67108864 bytes"),
    (http(b"", "302 Found", Location="http://10.0.0.1/v2/leader"), "302 Found, see http://10.0.0.1/v2/leader"),
    (http(b'{"leader": null}'), "there is no leader"),
    (http(b'{"leader": "no/address at all"}'), "the leader is said to be no/address at all"),
    (b"", "closed the connection without an answer"),
    (b"SSH-2.0-OpenSSH_7.4\r\n", "speaks no HTTP (BadStatusLine)"),
    (b"HTTP/1.1 200 OK\r\n" + b"a" * 70000, "speaks no HTTP (LineTooLong)"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_bad_answer_is_told_with_method_url_and_a_line_of_it(salt, raw, answer, said):
    server = raw(answer)
    told = refused(salt, server.url)
    assert told.startswith(f"GET {server.url}/v2/leader: ") and said in told and "\n" not in told


def test_a_server_that_speaks_no_tls_is_told_so(salt, raw):
    url = raw(LEADER).url.replace("http:", "https:")
    told = refused(salt, url)
    assert told.startswith(f"GET {url}/v2/leader: ") and "SSL" in told


def test_a_compressed_answer_is_unpacked(salt, raw):
    body = gzip.compress(json.dumps({"leader": "10.0.0.1:8080", "more": "x" * 100_000}).encode())
    server = raw(http(body, Content_Encoding="gzip", Content_Length=str(len(body))))
    assert salt.call("marathon.leader", url=server.url)["host"] == "10.0.0.1"


def test_every_candidate_is_asked_until_one_answers_and_all_are_named_if_none_does(salt, raw, nobody):
    silent, broken, good = raw(None), raw(http(HTML, "502 Bad Gateway")), raw(LEADER)
    bad = [nobody, silent.url, broken.url, "http://no.such.host.invalid:8080"]
    assert salt.call("marathon.leader", url=[*bad, good.url], timeout=2)["host"] == "10.0.0.1"
    told = refused(salt, ",".join(bad), timeout=2).splitlines()
    assert told == [
        f"GET {nobody}/v2/leader: Connection refused",
        f"GET {silent.url}/v2/leader: no answer within 2 seconds",
        f"GET {broken.url}/v2/leader: 502 Error 502 Could not determine the current leader",
        "GET http://no.such.host.invalid:8080/v2/leader: the name of the host is not known",
    ]


def test_a_request_says_what_it_wants_and_brings_no_credentials(salt, raw):
    server = raw(LEADER)
    salt.call("marathon.leader", url=f"{server.url}/behind/a/proxy/")
    request, *headers = server.heard[0].decode().split("\r\n")
    names = {header.partition(":")[0].lower() for header in headers if header}
    assert request == "GET /behind/a/proxy/v2/leader HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in headers
    assert names == {"host", "accept", "accept-encoding", "connection"}


@pytest.mark.parametrize("url", ["10.0.0.1:8080", "http://", "ftp://10.0.0.1", "zk://10.0.0.1:2181/marathon", "http://10.0.0.1:port",
                                 "http://10.0.0.1:99999", "http://10.0.0.1/?x=y", "http://a b/", "http://h\u00f6st", 5, {"a": 1}, [None],
                                 "http://10.0.0.1,", ["http://a,http://b"], "http://root:sesame@10.0.0.1:8080",
                                 "http://root:ses/sesame@10.0.0.1", "http://r\u00f6t:sesame@10.0.0.1", {"http://root:sesame@h": 1}])
def test_what_is_no_url_is_refused_in_a_sentence(salt, url):
    with pytest.raises(salt.Error, match="^SaltInvocationError: url: ") as caught:
        salt.call("marathon.leader", url=url)
    assert "sesame" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("timeout", [-1, 0, "5", True, None])
def test_a_timeout_is_a_number_of_seconds(salt, timeout):
    with pytest.raises(salt.Error, match="^SaltInvocationError: timeout: "):
        salt.call("marathon.leader", url="http://127.0.0.1:9", timeout=timeout)


def test_the_call_counts_before_the_configuration(salt, raw, nobody):
    server = raw(LEADER)
    assert salt.call("marathon.leader", pillar={"marathon": {"url": [nobody, server.url]}})["host"] == "10.0.0.1"
    assert salt.call("marathon.leader", pillar={"marathon": {"url": nobody}}, url=server.url)["host"] == "10.0.0.1"


@pytest.mark.parametrize("function, default", [("mesos.leader", 5050), ("marathon.leader", 8080), ("chronos.leader", 4400)])
@pytest.mark.parametrize("pillar", [{}, {"mesos": {"url": None}, "marathon": {"url": []}, "chronos": {"url": ""}}], ids=["unset", "empty"])
def test_without_any_url_the_daemon_of_this_host_is_asked(salt, function, default, pillar):
    try:
        answer = salt.call(function, pillar=pillar)
    except salt.Error as error:  # as a rule nobody listens there
        answer = str(error)
    assert f"127.0.0.1:{default}" in str(answer)
