"""Tokens by Workload Identity, for a client that does other things meanwhile."""

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

from scorer.federated import SECONDS, federated, missing, question, serves, token
from scorer.ingest.checks import SettingsError


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
        if lacks := missing(environment):
            raise SettingsError(f"{lacks}, or a connection string")
        self._identity = federated(environment)
        self._tokens: dict[str, AccessToken] = {}

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token that is good for some minutes at least. Raises ClientAuthenticationError."""
        scope = " ".join(scopes)
        if not serves(self._tokens.get(scope), time.time()):
            self._tokens[scope] = await self._ask(scope)
        return self._tokens[scope]

    async def _ask(self, scope: str) -> AccessToken:
        try:
            assertion = Path(self._identity.file).read_text(encoding="utf-8")
            form = question(self._identity, assertion, scope)
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._identity.url, data=form) as answer,
            ):
                if 400 <= answer.status < 500:
                    raise RefusedError(f"no token for {scope}: {await _refusal(answer)}")
                told = await answer.json(content_type=None)
            return token(told, time.time())
        except (OSError, aiohttp.ClientError, ValueError, LookupError, TypeError) as error:
            raise ClientAuthenticationError(f"no token for {scope}: {type(error).__name__}") from error

    async def close(self) -> None:
        """Nothing is open between two questions."""

    async def __aenter__(self) -> Self:
        """It is open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""
