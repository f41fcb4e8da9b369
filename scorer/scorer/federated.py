"""Workload Identity without I/O: what a pod is given, what it asks Microsoft Entra, how long that is good.

OAuth's client credentials with a federated token in the place of a secret:
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from azure.core.credentials import AccessToken

from scorer.settings import IDENTITY

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RENEW_SECONDS = 300
"""Before its end a token is not given out any more."""
SECONDS = 30.0
"""For an answer."""


class Federated(NamedTuple):
    """Who a pod is."""

    client: str
    file: str
    """Its federated token, written anew before it ends: to be read for each question."""
    url: str
    """What gives tokens."""


def missing(environment: Mapping[str, str]) -> str:
    """What a pod without an identity lacks, in words; empty: nothing."""
    names = [name for name in IDENTITY if not environment.get(name)]
    return f"{', '.join(names)} not set: wanted a pod with Workload Identity" if names else ""


def federated(environment: Mapping[str, str]) -> Federated:
    """The identity of a pod that lacks nothing."""
    client, tenant, file, authority = (environment[name] for name in IDENTITY)
    return Federated(client, file, f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token")


def question(identity: Federated, assertion: str, scope: str) -> dict[str, str]:
    """The form to post; `assertion` is what stands in the identity's file."""
    return {
        "grant_type": "client_credentials",
        "client_id": identity.client,
        "client_assertion_type": _ASSERTION,
        "client_assertion": assertion.strip(),
        "scope": scope,
    }


def token(told: Any, now: float) -> AccessToken:
    """That of an answer. Raises ValueError, LookupError or TypeError for what is none."""
    return AccessToken(told["access_token"], int(now) + int(told["expires_in"]))


def serves(held: AccessToken | None, now: float) -> bool:
    """Whether a token is there, and good for some minutes yet."""
    return held is not None and held.expires_on - now >= _RENEW_SECONDS
