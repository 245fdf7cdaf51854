"""HTTP authentication and authorization of Mesos daemons, configured by their flags."""

from __future__ import annotations

import base64
import binascii
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ..wire.http import Refusal, Request, Response, answer

# Side -> flag -> the realm for which it demands credentials, in the order in which a daemon sets
# them up.
AUTHENTICATION_FLAGS = {
    "master": {
        "authenticate_http_readonly": "readonly",
        "authenticate_http_readwrite": "readwrite",
        "authenticate_http_frameworks": "scheduler",
    },
    "agent": {
        "authenticate_http_executors": "executor",
        "authenticate_http_readonly": "readonly",
        "authenticate_http_readwrite": "readwrite",
    },
}


def _text(flag: str) -> str:
    """Return the JSON that a flag has, or the contents of the file that it names."""
    return flag if flag.startswith("{") else pathlib.Path(flag.removeprefix("file://")).read_text()


def _credentials(flag: str | None) -> dict[str, str]:
    """Read ``--credentials``: JSON, its file, or a file with a principal and a secret per line."""
    if not flag:
        return {}
    text = _text(flag)
    if text.lstrip().startswith("{"):
        credentials = json.loads(text)["credentials"]
        return {entry["principal"]: entry["secret"] for entry in credentials}
    return dict(line.split(None, 1) for line in text.splitlines() if line.strip())


def agent_credential(flag: str | None) -> dict[str, str] | None:
    """Read ``--credential`` of an agent: JSON, or a principal and a secret, None without it."""
    if not flag:
        return None
    text = _text(flag)
    if text.lstrip().startswith("{"):
        return json.loads(text)
    principal, secret = text.split(None, 1)
    return {"principal": principal, "secret": secret.strip()}


def problem(side: str, flags: Mapping[str, str]) -> str | None:
    """Return why a daemon exits with these flags of authentication, None if it starts."""
    enabled = [name for name in AUTHENTICATION_FLAGS[side] if flags.get(name) == "true"]
    if "authenticate_http_executors" in enabled and not flags.get("jwt_secret_key"):
        return (
            "--jwt_secret_key must be specified when --authenticate_http_executors is set to true"
        )
    if "authenticate_http_frameworks" in enabled and not flags.get("http_framework_authenticators"):
        return (
            "Missing `--http_framework_authenticators` flag. This must be used in conjunction with "
            "`--authenticate_http_frameworks`"
        )
    if enabled and not flags.get("credentials" if side == "master" else "http_credentials"):
        realm = f"mesos-{side}-{AUTHENTICATION_FLAGS[side][enabled[0]]}"
        return (
            "Failed to create HTTP authenticator module 'basic': No credentials provided for the "
            f"default 'basic' HTTP authenticator for realm '{realm}'"
        )
    return None


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
        self.authenticates_agents = flags.get("authenticate_agents") == "true"
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

    def framework_problem(
        self, pid: str, info: Mapping[str, Any], credential: Mapping[str, str] | None
    ) -> str | None:
        """
        Return the error that the scheduler driver of a framework gets, None if it may register.

        Wrong credentials are refused also where the master does not require any.
        """
        if credential is None and self.authenticates_frameworks:
            return f"Framework at {pid} is not authenticated."
        if credential is None:
            return None
        if not self._is_valid(credential):
            return "Master refused authentication"
        principal = info.get("principal", credential["principal"])
        if principal != credential["principal"]:
            return (
                f"Framework principal '{principal}' does not match authenticated principal "
                f"'{credential['principal']}'"
            )
        return None

    def agent_problem(self, credential: Mapping[str, str] | None) -> int | None:
        """
        Return the status that refuses an agent, None if it may register.

        403: the master ignores an agent that has not authenticated. 410: it has refused the
        credential, so the agent exits, also where the master does not require any.
        """
        if credential is None:
            return 403 if self.authenticates_agents else None
        return None if self._is_valid(credential) else 410

    def _is_valid(self, credential: Mapping[str, str]) -> bool:
        secret = self.secrets.get(credential["principal"])
        return secret is not None and secret == credential.get("secret")

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
