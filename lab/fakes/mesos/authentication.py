"""HTTP authentication and authorization of Mesos daemons, by the flags of the real ones."""

from __future__ import annotations

import base64
import binascii
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ..wire.http import Refusal, Request, Response, answer


def _credentials(flag: str | None) -> dict[str, str]:
    """Read ``--credentials``: JSON, inline or in a file, or a file with a principal and a secret a line."""
    if not flag:
        return {}
    text = flag if flag.startswith("{") else pathlib.Path(flag.removeprefix("file://")).read_text()
    if text.lstrip().startswith("{"):
        return {each["principal"]: each["secret"] for each in json.loads(text)["credentials"]}
    return dict(line.split(None, 1) for line in text.splitlines() if line.strip())


class Access:
    """
    Who may do what.

    side
        ``master`` or ``agent``, as in the names of realms.

    flags
        The daemon's.
    """

    def __init__(self, side: str, flags: Mapping[str, str]) -> None:
        self.side = side
        self.known = _credentials(
            flags.get("credentials") if side == "master" else flags.get("http_credentials")
        )
        self.asks = {
            realm
            for realm in ("readonly", "readwrite")
            if flags.get(f"authenticate_http_{realm}") == "true"
        }
        acls = flags.get("acls", "")
        self.acls: dict[str, Any] = json.loads(acls) if acls.startswith("{") else {}

    def unauthorized(self, request: Request, realm: str | None) -> Response | None:
        """Answer 401 unless the request needs no credentials or brings good ones; these name ``request.environ["principal"]``."""
        if realm not in self.asks:
            return None
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        try:
            principal, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            principal, secret = "", ""
        if kind == "Basic" and principal in self.known and self.known[principal] == secret:
            request.environ["principal"] = principal
            return None
        return answer(
            "401 Unauthorized.", 401, WWW_Authenticate=f'Basic realm="mesos-{self.side}-{realm}"'
        )

    def may(self, request: Request, action: str) -> bool:
        """Whether the rules allow an action: the first that speaks of this principal counts."""
        principal = request.environ.get("principal")
        for rule in self.acls.get(action, ()):
            principals = rule["principals"]
            if principals.get("type") == "ANY" or principal in principals.get("values", ()):
                objects = next(value for key, value in rule.items() if key != "principals")
                return objects.get("type") != "NONE"
        return bool(self.acls.get("permissive", True))

    def demand(self, request: Request, action: str) -> None:
        """Refuse with 403 what the rules do not allow."""
        if not self.may(request, action):
            raise Refusal(403, "403 Forbidden.")
