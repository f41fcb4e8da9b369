"""Azure's answers, from a small server that gives what a test wants: retries, errors, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.exceptions import AlreadyExistsError, GenericError

from local_server import LocalServer, Silent
from scorer.storage import ConflictError, DeniedError, NotFoundError, StorageError, UnavailableError
from scorer.storage.address import azure_address
from scorer.storage.answers import meaning
from scorer.storage.azure import AzureBlobStore, Retries

QUICK = Retries(tries=3, first_seconds=0.001, busy_seconds=0.001, request_seconds=0.5, connect_seconds=0.5)
Answers = list[tuple[int, str]]


class Service(LocalServer):
    """Gives the answers in order, the last one for ever, and counts the requests."""

    def __init__(self) -> None:
        self.answers: Answers = []
        self.requests: list[str] = []
        super().__init__(_Handler)

    def store(self, sas: str = "") -> AzureBlobStore:
        string = f"BlobEndpoint=http://127.0.0.1:{self.server_port}/acc;" + (
            f"SharedAccessSignature={sas}" if sas else "AccountName=acc;AccountKey=c2VjcmV0"
        )
        return AzureBlobStore("azure://acc/cont", azure_address("acc/cont", None, True, string), QUICK)


class _Handler(Silent, BaseHTTPRequestHandler):
    server: Service

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        number = len(self.server.requests)
        self.server.requests.append(self.command)
        status, code = self.server.answers[min(number, len(self.server.answers) - 1)]
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return
        body = (
            f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode() if status >= 400 else b"data"
        )
        self.send_response(status)
        self.send_header("ETag", '"0x1"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 12:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815 (the names that the server looks for)


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        yield server


@pytest.mark.parametrize(
    "fault", [(503, "ServerBusy"), (500, "InternalError"), (429, "TooManyRequests"), (0, "")]
)
@pytest.mark.parametrize("call", ["get", "put"])
def test_what_passes_is_tried_again(service: Service, fault: tuple[int, str], call: str) -> None:
    service.answers = [fault, fault, (201 if call == "put" else 200, "")]
    store = service.store()
    if call == "get":
        assert store.get("a").data == b"data"
    else:
        assert store.put("a", b"x") == "0x1"
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    ("answer", "kind", "requests", "says"),
    [
        ((503, "ServerBusy"), UnavailableError, 3, "503 ServerBusy"),
        ((400, "InvalidResourceName"), DeniedError, 2, "400 InvalidResourceName: it does not take this"),
        ((409, "ContainerBeingDeleted"), UnavailableError, 3, "409 ContainerBeingDeleted"),
        ((403, "AuthorizationFailure"), DeniedError, 2, "403 AuthorizationFailure: the identity or key"),
        ((401, "InvalidAuthenticationInfo"), DeniedError, 2, "401"),
        ((404, "BlobNotFound"), NotFoundError, 1, "a/b does not exist"),
        ((404, "ContainerNotFound"), UnavailableError, 1, "container 'cont' of account 'acc' does not exist"),
    ],
)
def test_errors(
    service: Service, answer: tuple[int, str], kind: type[StorageError], requests: int, says: str
) -> None:
    service.answers = [answer]
    with pytest.raises(kind, match=says) as failure:
        service.store().get("a/b")
    assert len(service.requests) == requests
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        ((412, "ConditionNotMet"), lambda store: store.put("a", b"", if_match="0x0")),
        ((409, "BlobAlreadyExists"), lambda store: store.put("a", b"", if_none_match=True)),
    ],
)
def test_conflicts_are_not_tried_again(
    service: Service, answer: tuple[int, str], call: Callable[[AzureBlobStore], str]
) -> None:
    service.answers = [answer]
    with pytest.raises(ConflictError, match="changed by someone else"):
        call(service.store())
    assert service.requests == ["PUT"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((409, "BlobImmutableDueToPolicy"), DeniedError),
        ((412, "LeaseIdMissing"), UnavailableError),
        ((409, "ContainerBeingDeleted"), UnavailableError),
    ],
)
def test_what_is_refused_for_another_reason_is_no_conflict(
    service: Service, answer: tuple[int, str], kind: type[StorageError]
) -> None:
    service.answers = [answer]
    with pytest.raises(kind, match=answer[1]):
        service.store().put("a", b"", if_match="0x0")


def test_nobody_there_is_unavailable() -> None:
    string = "AccountName=acc;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:1/acc"
    store = AzureBlobStore("azure://acc/cont", azure_address("acc/cont", None, True, string), QUICK)
    with pytest.raises(
        UnavailableError, match=r"GET a: http://127\.0\.0\.1:1/acc/cont/a - .*Connection refused"
    ):
        store.get("a")


def test_no_error_tells_a_signature(service: Service) -> None:
    service.answers = [(0, "")]
    with pytest.raises(UnavailableError) as failure:
        service.store(sas="sv=2024&sig=topsecret").get("a")
    assert "topsecret" not in str(failure.value)


@given(st.text(max_size=300), st.sampled_from([GenericError, AlreadyExistsError, FileNotFoundError]))
def test_whatever_the_client_says_is_one_sentence(said: str, kind: type[Exception]) -> None:
    for text in (said, f"status code: 403 <Code>{said}</Code>", f'message: "{said}"\n{said}'):
        failure = meaning("GET", "a", "container 'cont'", kind(text))
        assert isinstance(failure, StorageError)
        assert len(str(failure).splitlines()) <= 1
