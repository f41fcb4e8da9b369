"""Identities without Azure: doubles, on loopback, of the token endpoints that a pod asks and of Blob Storage.

The doubles take and give what Microsoft documents for workload identity (OAuth client credentials with a
federated token) and for managed identity (IMDS). That Azure itself does so is not shown here.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scorer.storage import DeniedError, Store, UnavailableError, open_store
from scorer.storage.address import azure_address
from scorer.storage.azure import AzureBlobStore, Retries

QUICK = Retries(tries=3, first_seconds=0.001, busy_seconds=0.001, request_seconds=2, connect_seconds=0.5)
IMDS = "/metadata/identity/oauth2/token"
VARIABLES = (
    *("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"),
    *("AZURE_IDENTITY_ENDPOINT", "AZURE_MSI_ENDPOINT"),
)


class Azure(ThreadingHTTPServer):
    """Gives tokens `token-1`, `token-2`, … and takes the last one only."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.refusals: list[tuple[int, str]] = []
        """Answers to the next requests for a token."""
        self.asked: list[dict[str, str]] = []
        self.authorizations: list[str] = []

    def store(self, connection_string: str | None = None) -> Store:
        address = azure_address("acc/cont", f"{self.url}/acc", True, connection_string)
        return AzureBlobStore("azure://acc/cont", address, QUICK)

    def withdraw(self) -> None:
        """The tokens given so far are good no more."""
        self.asked.append({})


class Handler(BaseHTTPRequestHandler):
    server: Azure

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.token({"path": self.path, **dict(urllib.parse.parse_qsl(form))})

    def do_GET(self) -> None:
        if self.path.startswith(IMDS):
            query = urllib.parse.urlsplit(self.path).query
            self.token({"Metadata": self.headers["Metadata"], **dict(urllib.parse.parse_qsl(query))})
            return
        self.server.authorizations.append(self.headers.get("Authorization") or self.path)
        good = self.server.authorizations[-1] == f"Bearer token-{len(self.server.asked)}"
        said = "" if good else "<Error><Code>InvalidAuthenticationInfo</Code></Error>"
        self.answer(200 if good else 401, "data" if good else said)

    def token(self, asked: dict[str, str]) -> None:
        if self.server.refusals:
            self.answer(*self.server.refusals.pop(0))
            return
        self.server.asked.append(asked)
        given = {
            "access_token": f"token-{len(self.server.asked)}", "token_type": "Bearer", "expires_in": 3600,
            "expires_on": str(int(time.time()) + 3600), "resource": "https://storage.azure.com",
        }  # fmt: skip
        self.answer(200, json.dumps(given))

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("ETag", '"0x1"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 12:00:00 GMT")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with Azure() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def workload(azure: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Azure:
    """What the webhook of Azure Workload Identity gives a pod."""
    (tmp_path / "azure-identity-token").write_text("federated-secret")
    monkeypatch.setenv("AZURE_CLIENT_ID", "client")
    monkeypatch.setenv("AZURE_TENANT_ID", "tenant")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "azure-identity-token"))
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", azure.url)
    return azure


@pytest.fixture
def managed(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> Azure:
    """A node's managed identity, its endpoint elsewhere than 169.254.169.254."""
    monkeypatch.setenv("AZURE_IDENTITY_ENDPOINT", azure.url + IMDS)
    return azure


def test_a_workload_identity(workload: Azure) -> None:
    store = workload.store()
    assert store.get("a").data == b"data"
    assert store.get("b").data == b"data"
    assert workload.authorizations == ["Bearer token-1"] * 2
    (asked,) = workload.asked
    assert asked["path"] == "/tenant/oauth2/v2.0/token"
    assert asked["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert (asked["client_id"], asked["client_assertion"]) == ("client", "federated-secret")
    assert (asked["grant_type"], asked["scope"]) == (
        "client_credentials",
        "https://storage.azure.com/.default",
    )


def test_a_managed_identity(managed: Azure) -> None:
    assert managed.store().get("a").data == b"data"
    assert managed.asked == [
        {"Metadata": "true", "api-version": "2019-08-01", "resource": "https://storage.azure.com"}
    ]


def test_one_of_several_managed_identities(managed: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "client")
    assert managed.store().get("a").data == b"data"
    assert managed.asked[0]["client_id"] == "client"


@pytest.mark.parametrize("identity", ["workload", "managed"])
def test_a_token_that_is_taken_no_more_is_asked_for_again(
    identity: str, request: pytest.FixtureRequest
) -> None:
    azure: Azure = request.getfixturevalue(identity)
    store = azure.store()
    store.get("a")
    azure.withdraw()
    assert store.get("a").data == b"data"
    assert azure.authorizations == ["Bearer token-1", "Bearer token-1", "Bearer token-3"]


@pytest.mark.parametrize(
    ("identity", "answer", "says"),
    [
        ("workload", (400, '{"error_description": "AADSTS70021: no matching federated identity record"}'),
         "answered 400 AADSTS70021: wanted a workload identity"),
        ("workload", (401, '{"error_description": "AADSTS7000215: invalid"}'), "answered 401 AADSTS7000215"),
        ("managed", (400, '{"error": "invalid_request", "error_description": "Identity not found"}'),
         "answered 400: wanted"),
    ],
)  # fmt: skip
def test_an_identity_that_is_none_is_told(
    identity: str, answer: tuple[int, str], says: str, request: pytest.FixtureRequest
) -> None:
    azure: Azure = request.getfixturevalue(identity)
    azure.refusals = [answer] * 9
    with pytest.raises(DeniedError, match=says) as denial:
        azure.store().get("a")
    assert "federated-secret" not in str(denial.value)
    assert len(azure.refusals) == 9 - QUICK.denied_tries


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("identity", ["workload", "managed"])
def test_an_endpoint_that_is_busy_is_asked_again(
    identity: str, status: int, request: pytest.FixtureRequest
) -> None:
    azure: Azure = request.getfixturevalue(identity)
    azure.refusals = [(status, ""), (status, "")]
    assert azure.store().get("a").data == b"data"


def test_an_endpoint_that_is_not_there(managed: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_IDENTITY_ENDPOINT", f"http://127.0.0.1:1{IMDS}")
    with pytest.raises(UnavailableError, match=r"no token for storage: .*Connection refused"):
        managed.store().get("a")


def test_a_signature_is_used_though_the_pod_has_an_identity(workload: Azure) -> None:
    store = workload.store(f"BlobEndpoint={workload.url}/acc;SharedAccessSignature=sv=1&sig=abc")
    with pytest.raises(DeniedError):
        store.get("a")
    assert workload.asked == []
    assert all(path == "/acc/cont/a?sv=1&sig=abc" for path in workload.authorizations)


def test_a_key_is_used_though_the_pod_has_an_identity(workload: Azure) -> None:
    store = workload.store("AccountName=acc;AccountKey=c2VjcmV0")
    with pytest.raises(DeniedError):
        store.get("a")
    assert all(header.startswith("SharedKey acc:") for header in workload.authorizations)


def test_opening_a_store_asks_for_nothing(workload: Azure) -> None:
    open_store("azure://acc/cont", f"{workload.url}/acc", True)
    assert workload.asked == workload.authorizations == []
