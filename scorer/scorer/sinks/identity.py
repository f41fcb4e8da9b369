"""Tokens by Workload Identity, for a client that waits for them."""

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

from scorer.federated import SECONDS, federated, missing, question, serves, token


class WorkloadIdentity:
    """A credential as Azure's clients take it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._tokens: dict[str, AccessToken] = {}

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token that is good for some minutes at least. Raises ClientAuthenticationError."""
        scope = " ".join(scopes)
        if not serves(self._tokens.get(scope), time.time()):
            self._tokens[scope] = self._ask(scope)
        return self._tokens[scope]

    def _ask(self, scope: str) -> AccessToken:
        if lacks := missing(self._environment):
            raise ClientAuthenticationError(lacks)
        identity = federated(self._environment)
        try:
            assertion = Path(identity.file).read_text(encoding="utf-8")
            return token(_posted(identity.url, question(identity, assertion, scope)), time.time())
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            raise ClientAuthenticationError(f"no token for {scope}: {type(error).__name__}") from error


def _posted(url: str, form: Mapping[str, str]) -> Any:
    parts = urlsplit(url)
    if parts.scheme == "https":
        tls = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=SECONDS, context=tls
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", parts.path, urlencode(form), headers)
        return json.loads(connection.getresponse().read(1024 * 1024))
    finally:
        connection.close()
