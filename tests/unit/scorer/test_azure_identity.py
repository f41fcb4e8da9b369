"""Identities without Azure, against doubles of the token endpoints (`token_endpoints` says how faithful)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scorer.storage import DeniedError, Store, UnavailableError, open_store
from scorer.storage.address import azure_address
from scorer.storage.azure import AzureBlobStore, Retries
from token_endpoints import CLIENT, FEDERATED, IMDS, TENANT, VARIABLES, Azure

QUICK = Retries(tries=3, first_seconds=0.001, busy_seconds=0.001, request_seconds=2, connect_seconds=0.5)
HASTY = QUICK._replace(request_seconds=0.2)
BOTH = pytest.mark.parametrize("identity", ["workload", "managed"])


def store_of(azure: Azure, connection_string: str | None = None, retries: Retries = QUICK) -> Store:
    address = azure_address("acc/cont", f"{azure.url}/acc", True, connection_string)
    return AzureBlobStore("azure://acc/cont", address, retries)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with Azure() as server:
        yield server


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "azure-identity-token"


@pytest.fixture
def workload(azure: Azure, monkeypatch: pytest.MonkeyPatch, token_file: Path) -> Azure:
    for name, value in azure.workload(token_file).items():
        monkeypatch.setenv(name, value)
    return azure


@pytest.fixture
def managed(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> Azure:
    for name, value in azure.managed().items():
        monkeypatch.setenv(name, value)
    return azure


def test_a_workload_identity(workload: Azure) -> None:
    store = store_of(workload)
    assert store.get("a").data == b"data"
    assert store.get("b").data == b"data"
    assert workload.authorizations == ["Bearer token-1"] * 2
    (asked,) = workload.asked
    assert asked["path"] == f"/{TENANT}/oauth2/v2.0/token"
    assert asked["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert (asked["client_id"], asked["client_assertion"]) == (CLIENT, FEDERATED)
    assert (asked["grant_type"], asked["scope"]) == (
        "client_credentials",
        "https://storage.azure.com/.default",
    )


def test_a_managed_identity(managed: Azure) -> None:
    assert store_of(managed).get("a").data == b"data"
    assert managed.asked == [
        {"Metadata": "true", "api-version": "2019-08-01", "resource": "https://storage.azure.com"}
    ]


def test_one_of_several_managed_identities(managed: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "client")
    assert store_of(managed).get("a").data == b"data"
    assert managed.asked[0]["client_id"] == "client"


@BOTH
def test_a_token_that_is_taken_no_more_is_asked_for_again(
    identity: str, request: pytest.FixtureRequest
) -> None:
    azure: Azure = request.getfixturevalue(identity)
    store = store_of(azure)
    store.get("a")
    azure.withdraw()
    assert store.get("a").data == b"data"
    assert azure.authorizations == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("identity", "answer", "says"),
    [
        ("workload", (400, '{"error_description": "AADSTS700213: no matching federated identity record"}'),
         "answered 400 AADSTS700213: check the federated credential: .* system:serviceaccount:NAMESPACE"),
        ("workload", (400, '{"error_description": "AADSTS700016: no such application"}'),
         "answered 400 AADSTS700016: check the client ID"),
        ("workload", (400, '{"error_description": "AADSTS90002: no such tenant"}'), "check AZURE_TENANT_ID"),
        ("workload", (401, '{"error_description": "AADSTS700024: not within its time range"}'),
         "answered 401 AADSTS700024: check the node's clock"),
        ("workload", (403, '{"error_description": "AADSTS53003: blocked"}'),
         "answered 403 AADSTS53003: check that the identity"),
        ("managed", (400, '{"error": "invalid_request", "error_description": "Identity not found"}'),
         "answered 400: check that the identity is assigned to the node"),
        ("managed", (403, ""), "answered 403: check"),
    ],
)  # fmt: skip
def test_an_identity_that_is_none_is_told(
    identity: str, answer: tuple[int, str], says: str, request: pytest.FixtureRequest
) -> None:
    azure: Azure = request.getfixturevalue(identity)
    azure.refusals = [answer] * 9
    with pytest.raises(DeniedError, match=says) as denial:
        store_of(azure).get("a")
    assert FEDERATED not in str(denial.value)
    assert len(azure.refusals) == 9 - QUICK.denied_tries


@pytest.mark.parametrize("status", [429, 500, 503])
@BOTH
def test_an_endpoint_that_is_busy_is_asked_again(
    identity: str, status: int, request: pytest.FixtureRequest
) -> None:
    azure: Azure = request.getfixturevalue(identity)
    azure.refusals = [(status, ""), (status, "")]
    assert store_of(azure).get("a").data == b"data"


@BOTH
def test_threads_whose_token_is_withdrawn_ask_for_one_together(
    identity: str, request: pytest.FixtureRequest
) -> None:
    azure: Azure = request.getfixturevalue(identity)
    store = store_of(azure)
    store.get("a")
    azure.withdraw()
    with ThreadPoolExecutor(8) as threads:
        assert {blob.data for blob in threads.map(store.get, "abcdefgh")} == {b"data"}
    assert len(azure.asked) == 2


def renewed(store: Store, azure: Azure) -> bool:
    """Whether another token is asked for within a moment: not at once, so that threads share one."""
    for _ in range(40):
        assert store.get("a").data == b"data"
        if len(azure.asked) > 1:
            return True
        azure.closing.wait(0.01)
    return False


@BOTH
@pytest.mark.parametrize("lifetime", [240, 1, 0])
def test_a_token_is_renewed_before_it_ends(
    identity: str, lifetime: int, request: pytest.FixtureRequest
) -> None:
    azure: Azure = request.getfixturevalue(identity)
    azure.lifetime = lifetime
    assert renewed(store_of(azure), azure)


@BOTH
def test_a_token_that_is_good_for_long_is_not_renewed(identity: str, request: pytest.FixtureRequest) -> None:
    azure: Azure = request.getfixturevalue(identity)
    assert not renewed(store_of(azure), azure)


def test_a_token_that_had_ended_when_it_came_is_asked_for_again(managed: Azure) -> None:
    managed.lifetime = -100
    assert renewed(store_of(managed), managed)


def test_a_federated_token_that_kubernetes_has_replaced_is_read_again(
    workload: Azure, token_file: Path
) -> None:
    workload.lifetime = 0
    store = store_of(workload)
    store.get("a")
    token_file.write_text("another")
    store.get("a")
    assert [asked["client_assertion"] for asked in workload.asked] == [FEDERATED, "another"]


def test_a_federated_token_that_cannot_be_read(workload: Azure, token_file: Path) -> None:
    token_file.unlink()
    with pytest.raises(DeniedError, match="AZURE_FEDERATED_TOKEN_FILE names cannot be read"):
        store_of(workload).get("a")
    assert workload.asked == []


@BOTH
def test_a_token_that_is_not_taken_is_renewed_once_and_no_more(
    identity: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure: Azure = request.getfixturevalue(identity)
    monkeypatch.setattr(azure, "takes", lambda _: False)
    with pytest.raises(DeniedError, match="401 InvalidAuthenticationInfo"):
        store_of(azure).get("a")
    assert len(azure.asked) == len(azure.authorizations) == QUICK.denied_tries


@BOTH
def test_an_endpoint_that_stays_busy_is_given_up(identity: str, request: pytest.FixtureRequest) -> None:
    azure: Azure = request.getfixturevalue(identity)
    azure.refusals = [(503, "")] * 9
    with pytest.raises(UnavailableError, match="no token for storage: the identity's endpoint answered 503"):
        store_of(azure).get("a")
    assert len(azure.refusals) == 9 - QUICK.tries


@BOTH
def test_an_endpoint_that_is_slow_is_asked_again(identity: str, request: pytest.FixtureRequest) -> None:
    azure: Azure = request.getfixturevalue(identity)
    azure.slow = HASTY.tries - 1
    assert store_of(azure, retries=HASTY).get("a").data == b"data"


@BOTH
def test_an_endpoint_that_stays_slow_is_given_up(identity: str, request: pytest.FixtureRequest) -> None:
    azure: Azure = request.getfixturevalue(identity)
    azure.slow = 9
    with pytest.raises(UnavailableError, match="no token for storage"):
        store_of(azure, retries=HASTY).get("a")
    assert azure.slow == 9 - HASTY.tries


@BOTH
def test_an_answer_that_is_no_token_is_none(identity: str, request: pytest.FixtureRequest) -> None:
    azure: Azure = request.getfixturevalue(identity)
    azure.refusals = [(200, "<html>sign in</html>")] * 9
    with pytest.raises(UnavailableError, match=r"no token for storage: .*expected value"):
        store_of(azure).get("a")
    assert len(azure.refusals) == 9 - QUICK.tries


def test_an_endpoint_that_is_not_there(managed: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_IDENTITY_ENDPOINT", f"http://127.0.0.1:1{IMDS}")
    with pytest.raises(UnavailableError, match=r"no token for storage: .*Connection refused"):
        store_of(managed).get("a")


def test_a_signature_is_used_though_the_pod_has_an_identity(workload: Azure) -> None:
    store = store_of(workload, f"BlobEndpoint={workload.url}/acc;SharedAccessSignature=sv=1&sig=abc")
    with pytest.raises(DeniedError):
        store.get("a")
    assert workload.asked == []
    assert all(path == "/acc/cont/a?sv=1&sig=abc" for path in workload.authorizations)


def test_a_key_is_used_though_the_pod_has_an_identity(workload: Azure) -> None:
    store = store_of(workload, "AccountName=acc;AccountKey=c2VjcmV0")
    with pytest.raises(DeniedError):
        store.get("a")
    assert all(header.startswith("SharedKey acc:") for header in workload.authorizations)


def test_opening_a_store_asks_for_nothing(workload: Azure) -> None:
    open_store("azure://acc/cont", f"{workload.url}/acc", True)
    assert workload.asked == workload.authorizations == []
