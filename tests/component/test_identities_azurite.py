"""A pod by each way of identifying itself, reading from and writing to a real Azurite.

Azurite knows keys and signatures. For tokens a proxy stands before it, which takes the tokens of the doubles
(`token_endpoints`) and puts a shared access signature in their place: what Azure would do with a real token
is not shown by this, what the pod does about tokens is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faulty_proxy import FaultyProxy
from scorer.contract import Exit
from scorer.storage import Store, open_store
from scorer.storage.create import create_store
from scoring import put_sensor, work
from token_endpoints import FEDERATED, VARIABLES, Azure

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = pytest.mark.azurite

SENSORS = [f"s{number}" for number in range(20)]
BOTH = pytest.mark.parametrize("identity", ["workload", "managed"])


class Place:
    """A container of its own with sensors to score, before which tokens are taken."""

    def __init__(self, azurite: Azurite, proxy: FaultyProxy, azure: Azure) -> None:
        self.azurite, self.proxy, self.azure = azurite, proxy, azure
        self.account = azurite.endpoint.rpartition("/")[2]
        self.container = uuid.uuid4().hex
        self.url = f"azure://{self.account}/{self.container}/prefix"
        create_store(self.url, azurite.endpoint, True, azurite.connection_string)
        for sensor in SENSORS:
            put_sensor(self.sound(), sensor)

    def sound(self) -> Store:
        return open_store(self.url, self.azurite.endpoint, True, self.azurite.connection_string)

    def signature(self, rights: str, hours: float = 1.0) -> str:
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        key = self.azurite.connection_string.partition("AccountKey=")[2].partition(";")[0]
        now = datetime.now(UTC)
        signature: str = generate_container_sas(
            self.account, self.container, account_key=key,
            permission=ContainerSasPermissions.from_string(rights),
            start=now - timedelta(hours=2), expiry=now + timedelta(hours=hours),
        )  # fmt: skip
        return signature

    def takes_tokens(self, withdrawn_after: int = 0) -> None:
        """After so many requests the token that they came with is good no more."""
        signature = self.signature("rcwdl")
        seen = 0

        def door(path: str, headers: dict[str, str]) -> tuple[str, dict[str, str]] | None:
            nonlocal seen
            if not self.azure.takes(headers.pop("Authorization", headers.pop("authorization", None))):
                return None
            seen += 1
            if seen == withdrawn_after:
                self.azure.withdraw()
            return f"{path}{'&' if '?' in path else '?'}{signature}", headers

        self.proxy.door = door

    def environment(self, identity: str, folder: Path) -> dict[str, str]:
        return (
            self.azure.workload(folder / "federated-token")
            if identity == "workload"
            else self.azure.managed()
        )

    def run(self, folder: Path, environment: Mapping[str, str]) -> tuple[int, dict[str, Any], str]:
        """Exit code, message, and all that was said."""
        order = work(SENSORS) | {
            "store": {"url": self.url, "endpoint": self.proxy.endpoint, "allowHttp": True}
        }
        inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        inherited.pop("AZURE_STORAGE_CONNECTION_STRING", None)
        message = folder / "message"
        done = subprocess.run(
            [sys.executable, "-m", "scorer", "run", "--work", json.dumps(order)],
            env=inherited | {"SENSORSCORE_MESSAGE_PATH": str(message)} | dict(environment),
            capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert done.stderr == ""
        kept = [self.sound().get(entry.path).data.decode() for entry in self.sound().list("runs")]
        kept += [self.sound().get(entry.path).data.decode() for entry in self.sound().list("logs")]
        return done.returncode, json.loads(message.read_bytes()), "\n".join([done.stdout, *kept])


@pytest.fixture
def place(azurite: Azurite) -> Iterator[Place]:
    with FaultyProxy(azurite.endpoint) as proxy, Azure() as azure:
        yield Place(azurite, proxy, azure)


@BOTH
@pytest.mark.parametrize("withdrawn_after", [0, 30], ids=["a good token", "a token that is withdrawn"])
def test_a_pod_by_a_token(identity: str, withdrawn_after: int, place: Place, tmp_path: Path) -> None:
    place.takes_tokens(withdrawn_after)
    code, message, said = place.run(tmp_path, place.environment(identity, tmp_path))
    assert (code, message["codes"]) == (Exit.OK, f"{len(SENSORS)}S")
    assert len(place.azure.asked) == (2 if withdrawn_after else 1)
    assert "token-1" not in said
    assert FEDERATED not in said


@BOTH
def test_a_pod_whose_token_ends_at_once_renews_it(identity: str, place: Place, tmp_path: Path) -> None:
    place.takes_tokens()
    place.azure.lifetime = 0
    code, message, _ = place.run(tmp_path, place.environment(identity, tmp_path))
    assert (code, message["codes"]) == (Exit.OK, f"{len(SENSORS)}S")


@BOTH
def test_a_pod_whose_token_endpoint_is_busy_waits_for_it(identity: str, place: Place, tmp_path: Path) -> None:
    place.takes_tokens()
    place.azure.refusals = [(500, ""), (503, "")]
    code, message, _ = place.run(tmp_path, place.environment(identity, tmp_path))
    assert (code, message["codes"]) == (Exit.OK, f"{len(SENSORS)}S")


@BOTH
def test_a_pod_whose_identity_is_refused_says_what_to_check(
    identity: str, place: Place, tmp_path: Path
) -> None:
    place.takes_tokens()
    place.azure.refusals = [(400, '{"error_description": "AADSTS700213: no matching"}')] * 1000
    code, message, said = place.run(tmp_path, place.environment(identity, tmp_path))
    assert (code, message["legend"]) == (Exit.PARTIAL, {"A": "Failed/StorageDenied"})
    assert "check the federated credential" in said + json.dumps(message)


@pytest.mark.parametrize("rights", ["rcwdl", "rcwl"])
def test_a_pod_by_a_signature(rights: str, place: Place, tmp_path: Path) -> None:
    string = f"BlobEndpoint={place.proxy.endpoint};SharedAccessSignature={place.signature(rights)}"
    code, message, _ = place.run(tmp_path, {"AZURE_STORAGE_CONNECTION_STRING": string})
    assert (code, message["codes"]) == (Exit.OK, f"{len(SENSORS)}S")


@pytest.mark.parametrize(
    ("rights", "hours", "says"),
    [
        ("rl", 1.0, "403 AuthorizationPermissionMismatch: .*; check its role, Storage Blob Data Contributor"),
        (
            "rcwdl",
            -1.0,
            "403 AuthorizationFailure: .*; check the account's network rules, or whether the signature",
        ),
    ],
    ids=["may only read", "has ended"],
)
def test_a_signature_that_does_not_do(
    rights: str, hours: float, says: str, place: Place, tmp_path: Path
) -> None:
    signature = place.signature(rights, hours)
    string = f"BlobEndpoint={place.proxy.endpoint};SharedAccessSignature={signature}"
    code, message, said = place.run(tmp_path, {"AZURE_STORAGE_CONNECTION_STRING": string})
    assert (code, message["legend"]) == (Exit.PARTIAL, {"A": "Failed/StorageDenied"})
    told = " ".join(json.dumps(message).split()) + said
    assert re.search(says, told)
    assert signature.partition("sig=")[2] not in told


def test_a_pod_by_a_connection_string_from_the_environment_though_it_has_an_identity(
    place: Place, tmp_path: Path
) -> None:
    environment = place.environment("workload", tmp_path)
    string = {"AZURE_STORAGE_CONNECTION_STRING": place.azurite.connection_string}
    code, message, _ = place.run(tmp_path, environment | string)
    assert (code, message["codes"]) == (Exit.OK, f"{len(SENSORS)}S")
    assert place.azure.asked == []
