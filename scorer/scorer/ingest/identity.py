"""Tokens by Workload Identity: the pod's federated token for one of Microsoft Entra, by client credentials.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
The environment is what the workload identity webhook puts into pods.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from scorer.ingest.checks import SettingsError

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RENEW_SECONDS = 300
"""Before its end a token is not given out any more."""
_SECONDS = 30.0
_VARIABLES = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST")


class RefusedError(ClientAuthenticationError):
    """The identity is not one that gets a token: someone has to do something about it."""


async def _refusal(answer: aiohttp.ClientResponse) -> str:
    """What the endpoint says: its words begin with a code, AADSTS…, and hold no secret."""
    said = await answer.text(errors="replace")
    with contextlib.suppress(ValueError, LookupError, TypeError):
        said = json.loads(said)["error_description"]
    lines = str(said).splitlines()
    return f"the endpoint answered {answer.status} {lines[0] if lines else ''}"[:300].rstrip()


class WorkloadIdentity:
    """A credential as Azure's asynchronous clients take it. Raises SettingsError where there is none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        missing = [name for name in _VARIABLES if not environment.get(name)]
        if missing:
            raise SettingsError(
                f"{', '.join(missing)} not set: wanted a pod with Workload Identity, or a connection string"
            )
        self._client, tenant, file, host = (environment[name] for name in _VARIABLES)
        self._file = Path(file)
        self._url = f"{host.rstrip('/')}/{tenant}/oauth2/v2.0/token"
        self._tokens: dict[str, AccessToken] = {}

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token that is good for some minutes at least. Raises ClientAuthenticationError."""
        scope = " ".join(scopes)
        token = self._tokens.get(scope)
        if token is None or token.expires_on - time.time() < _RENEW_SECONDS:
            token = self._tokens[scope] = await self._ask(scope)
        return token

    async def _ask(self, scope: str) -> AccessToken:
        try:
            form = {
                "grant_type": "client_credentials",
                "client_id": self._client,
                "client_assertion_type": _ASSERTION,
                "client_assertion": self._file.read_text(encoding="utf-8").strip(),
                "scope": scope,
            }
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._url, data=form) as answer,
            ):
                if 400 <= answer.status < 500:
                    raise RefusedError(f"no token for {scope}: {await _refusal(answer)}")
                told = await answer.json(content_type=None)
            return AccessToken(told["access_token"], int(time.time()) + int(told["expires_in"]))
        except (OSError, aiohttp.ClientError, ValueError, LookupError, TypeError) as error:
            raise ClientAuthenticationError(f"no token for {scope}: {type(error).__name__}") from error

    async def close(self) -> None:
        """Nothing is open between two questions."""

    async def __aenter__(self) -> Self:
        """It is open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""
