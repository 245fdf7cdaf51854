"""HTTP authentication and authorization of Mesos daemons, configured by their flags."""

from __future__ import annotations

import base64
import binascii
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ..wire.http import Refusal, Request, Response, answer


def _credentials(flag: str | None) -> dict[str, str]:
    """Read ``--credentials``: JSON, its file, or a file with a principal and a secret per line."""
    if not flag:
        return {}
    text = flag if flag.startswith("{") else pathlib.Path(flag.removeprefix("file://")).read_text()
    if text.lstrip().startswith("{"):
        credentials = json.loads(text)["credentials"]
        return {entry["principal"]: entry["secret"] for entry in credentials}
    return dict(line.split(None, 1) for line in text.splitlines() if line.strip())


class Access:
    """
    Credentials and access control lists of a daemon.

    side
        ``master`` or ``agent``, a part of the realm names.

    flags
        Flags of the daemon.
    """

    def __init__(self, side: str, flags: Mapping[str, str]) -> None:
        self.side = side
        self.secrets = _credentials(
            flags.get("credentials") if side == "master" else flags.get("http_credentials")
        )
        self.protected_realms = {
            realm
            for realm in ("readonly", "readwrite")
            if flags.get(f"authenticate_http_{realm}") == "true"
        }
        self.authenticates_frameworks = flags.get("authenticate_frameworks") == "true"
        acls = flags.get("acls", "")
        self.acls: dict[str, Any] = json.loads(acls) if acls.startswith("{") else {}

    def unauthorized(self, request: Request, realm: str | None) -> Response | None:
        """
        Return a 401 response unless the credentials are valid or not required.

        Sets ``request.environ["principal"]`` for valid credentials.
        """
        if realm not in self.protected_realms:
            return None
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        try:
            principal, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            principal, secret = "", ""
        if kind == "Basic" and principal in self.secrets and self.secrets[principal] == secret:
            request.environ["principal"] = principal
            return None
        return answer(
            "401 Unauthorized.", 401, WWW_Authenticate=f'Basic realm="mesos-{self.side}-{realm}"'
        )

    def framework_problem(self, pid: str, credential: Mapping[str, str] | None) -> str | None:
        """
        Return the error that the scheduler driver of a framework gets, None if it may register.

        Wrong credentials are refused also where the master does not require any.
        """
        if credential is None and self.authenticates_frameworks:
            return f"Framework at {pid} is not authenticated."
        if credential is None:
            return None
        secret = self.secrets.get(credential["principal"])
        if secret is None or secret != credential.get("secret"):
            return "Master refused authentication"
        return None

    def may(self, request: Request, action: str) -> bool:
        """Return whether the first ACL that matches the principal allows an action."""
        principal = request.environ.get("principal")
        for rule in self.acls.get(action, ()):
            principals = rule["principals"]
            if principals.get("type") == "ANY" or principal in principals.get("values", ()):
                objects = next(value for key, value in rule.items() if key != "principals")
                return objects.get("type") != "NONE"
        return bool(self.acls.get("permissive", True))

    def demand(self, request: Request, action: str) -> None:
        """Raise a 403 Refusal unless the ACLs allow an action."""
        if not self.may(request, action):
            raise Refusal(403, "403 Forbidden.")
