"""Tokens by Workload Identity for a client that waits: the pod's federated token for one of Microsoft Entra.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RENEW_SECONDS = 300
_SECONDS = 30.0
VARIABLES = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST")
"""What the workload identity webhook puts into pods."""


class WorkloadIdentity:
    """A credential as Azure's clients take it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._tokens: dict[str, AccessToken] = {}

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token that is good for some minutes at least. Raises ClientAuthenticationError."""
        scope = " ".join(scopes)
        token = self._tokens.get(scope)
        if token is None or token.expires_on - time.time() < _RENEW_SECONDS:
            token = self._tokens[scope] = self._ask(scope)
        return token

    def _ask(self, scope: str) -> AccessToken:
        missing = [name for name in VARIABLES if not self._environment.get(name)]
        if missing:
            raise ClientAuthenticationError(
                f"{', '.join(missing)} not set: wanted a pod with Workload Identity"
            )
        client, tenant, file, authority = (self._environment[name] for name in VARIABLES)
        try:
            form = {
                "grant_type": "client_credentials",
                "client_id": client,
                "client_assertion_type": _ASSERTION,
                "client_assertion": Path(file).read_text(encoding="utf-8").strip(),
                "scope": scope,
            }
            told = _posted(f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token", form)
            return AccessToken(told["access_token"], int(time.time()) + int(told["expires_in"]))
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            raise ClientAuthenticationError(f"no token for {scope}: {type(error).__name__}") from error


def _posted(url: str, form: Mapping[str, str]) -> Any:
    parts = urlsplit(url)
    if parts.scheme == "https":
        tls = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=_SECONDS, context=tls
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=_SECONDS)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", parts.path, urlencode(form), headers)
        return json.loads(connection.getresponse().read(1024 * 1024))
    finally:
        connection.close()
