"""Tokens by Workload Identity, from a double of the endpoint that gives them."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError

from scorer.ingest.checks import SettingsError
from scorer.ingest.identity import WorkloadIdentity
from token_endpoints import FEDERATED, Azure

SCOPE = "https://eventhubs.azure.net/.default"


async def test_a_token_is_asked_for_once_until_it_is_about_to_end(tmp_path: Path) -> None:
    with Azure() as azure:
        identity = WorkloadIdentity(azure.workload(tmp_path / "token"))
        first = await identity.get_token(SCOPE)
        assert (await identity.get_token(SCOPE)).token == first.token
        assert len(azure.asked) == 1
        assert azure.asked[0]["scope"] == SCOPE
        azure.lifetime = 200
        await identity.get_token("other")
        await identity.get_token("other")
        assert len(azure.asked) == 3


async def test_a_refusal_is_said_without_the_secret(tmp_path: Path) -> None:
    with Azure() as azure:
        azure.refusals = [(401, "invalid_client")]
        with pytest.raises(ClientAuthenticationError, match="answered 401 invalid_client") as refused:
            await WorkloadIdentity(azure.workload(tmp_path / "token")).get_token(SCOPE)
    assert FEDERATED not in str(refused.value)


def test_without_an_identity_it_is_said_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="AZURE_CLIENT_ID"):
        WorkloadIdentity({})
