"""The HTTP core of the modules, as one function: for the tests of it."""

import _mesos_http


def ask(service, method, path, server=None, trusted=False, connection=None, json=False, **options):
    """Ask with a Client; ``server`` is one to be asked alone, ``json`` demands a mapping. Returns status, text and URL, or the error."""
    try:
        client = _mesos_http.Client(
            service, "http://127.0.0.1:9", __salt__, __context__, None, connection or {}
        )
        client = client.at(server, trusted) if server else client
        answer = client.ask(method, path, **options)
        if json:
            answer.json()
        return {"status": answer.status, "text": answer.text(), "url": answer.url}
    except _mesos_http.HttpError as error:
        return {"error": type(error).__name__, "said": str(error), **error.info}


def write(service, method, path, seen, connection=None, **options):
    """Write with a Client; what is read back is ``seen``."""
    client = _mesos_http.Client(
        service, "http://127.0.0.1:9", __salt__, __context__, None, connection or {}
    )
    done = client.write(method, path, lambda: seen, **options)
    return done if done == seen else done.status


def settings(service, profile=None, **connection):
    """Return what a Client shows of its settings."""
    return _mesos_http.Client(
        service, "http://127.0.0.1:9", __salt__, __context__, profile, connection
    ).settings()
