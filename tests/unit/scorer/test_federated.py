"""What a pod asks Microsoft Entra for a token with, and how long it keeps what it gets."""

from __future__ import annotations

import pytest
from azure.core.credentials import AccessToken

from scorer.federated import Federated, federated, missing, question, serves, token
from scorer.settings import IDENTITY

GIVEN = dict(zip(IDENTITY, ("client", "tenant", "/token", "https://login.example/"), strict=True))


def test_the_question_is_what_entra_documents() -> None:
    identity = federated(GIVEN)
    assert identity == Federated("client", "/token", "https://login.example/tenant/oauth2/v2.0/token")
    assert question(identity, "federated\n", "a-scope") == {
        "grant_type": "client_credentials",
        "client_id": "client",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "federated",
        "scope": "a-scope",
    }


@pytest.mark.parametrize("name", IDENTITY)
def test_a_variable_that_is_empty_is_missing(name: str) -> None:
    assert missing(GIVEN) == ""
    assert missing(GIVEN | {name: ""}) == f"{name} not set: wanted a pod with Workload Identity"


@pytest.mark.parametrize(("now", "kept"), [(1000.5, True), (4300, True), (4301, False), (9999, False)])
def test_a_token_serves_until_five_minutes_before_its_end(now: float, kept: bool) -> None:
    held = token({"access_token": "x", "expires_in": "3600"}, 1000.5)
    assert held == AccessToken("x", 4600)
    assert serves(held, now) is kept
    assert not serves(None, now)
