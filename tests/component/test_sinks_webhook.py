"""Anomalies by a real web server that takes them, refuses them, and breaks in every way."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import webhook
from delivering import OWN, Run
from local.ports import free_ports
from scorer.clock import Stopwatch
from scorer.contract import Exit, Header
from scorer.contract.publishing import Decisions
from scorer.contract.sinks import Place, sinks_of
from scorer.logs import Log
from scorer.publish import main_stage
from scorer.sinks import webhook as posts
from scorer.sinks.attempt import Later, Never, Taken
from scorer.sinks.event import Event, Found, Origin, event_of
from scorer.sinks.webhook import Webhook
from scorer.storage.memory import MemoryStore
from scorer.window import window
from webhook import SECRET

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
TOKEN = "Bearer of-the-secret"
SECRETS = {"SENSORSCORE_SINK_0_0": f"{TOKEN}\n"}
Json = dict[str, Any]


@pytest.fixture
def server() -> Iterator[webhook.Webhook]:
    with webhook.Webhook() as server:
        yield server


def events(sensors: str = "a") -> list[Event]:
    origin = Origin("scoring", "hourly-x", "hourly", SPAN)
    first, last = "2026-01-01T12:10:00.000000Z", "2026-01-01T12:20:00.000000Z"
    found = (Found(sensor, 2, first, last, 0.5, 0.0, "v1", f"p/{sensor}.parquet") for sensor in sensors)
    return [event_of(each, origin) for each in found]


OPENED: list[Webhook] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def sender(server: webhook.Webhook, **settings: Any) -> tuple[Webhook, Place]:
    whole = {"name": "ops", "type": "webhook", "url": server.url, "httpHosts": ["127.0.0.1"]} | settings
    (sink,) = sinks_of([whole])
    OPENED.append(Webhook(sink, SECRETS))
    return OPENED[-1], sink.place


def test_a_cloudevent_arrives_as_it_is_specified(server: webhook.Webhook) -> None:
    sends, place = sender(server, headers={"Authorization": "SENSORSCORE_SINK_0_0"})
    assert sends.send(place, events()) == Taken()
    (posted,) = server.posted
    assert posted.path == "/hook?code=1"
    assert posted.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert posted.headers["authorization"] == TOKEN
    told = json.loads(posted.body)
    assert {name: told[name] for name in ("specversion", "source", "type", "subject", "time")} == {
        "specversion": "1.0",
        "source": "/sensorscore/namespaces/scoring/schedules/hourly",
        "type": "dev.sensorscore.anomaly.v1",
        "subject": "a",
        "time": "2026-01-01T13:00:00Z",
    }
    assert told["data"]["anomalies"] == 2


def test_many_arrive_in_one_request(server: webhook.Webhook) -> None:
    sends, place = sender(server, batch=10)
    sends.send(place, events("abc"))
    (posted,) = server.posted
    assert posted.headers["content-type"].startswith("application/cloudevents-batch+json")
    assert [told["subject"] for told in json.loads(posted.body)] == ["a", "b", "c"]


def test_one_connection_is_enough(server: webhook.Webhook) -> None:
    sends, place = sender(server)
    for event in events("abcde"):
        assert sends.send(place, [event]) == Taken()
    assert server.connections == 1


@pytest.mark.parametrize(
    ("status", "headers", "answer"),
    [
        (408, {}, Later("answered 408")),
        (425, {}, Later("answered 425")),
        (429, {"Retry-After": "17"}, Later("answered 429", 17.0)),
        (500, {}, Later("answered 500")),
        (503, {"Retry-After": "nonsense"}, Later("answered 503")),
        (400, {}, Never("answered 400")),
        (413, {}, Never("answered 413")),
        (401, {}, Never("answered 401", all=True)),
        (404, {}, Never("answered 404", all=True)),
        (302, {"Location": "/elsewhere"}, Never("answered 302: redirects are not followed", all=True)),
        (307, {"Location": "/elsewhere"}, Never("answered 307: redirects are not followed", all=True)),
    ],
)
def test_an_answer_says_whether_it_may_be_tried_again(
    server: webhook.Webhook, status: int, headers: dict[str, str], answer: object
) -> None:
    server.answers = [(status, headers)]
    sends, place = sender(server)
    assert sends.send(place, events()) == answer
    assert not server.posted
    assert not server.answers


@pytest.mark.parametrize("breaks", [webhook.hang_up, webhook.babble], ids=["hangs up", "babbles"])
def test_what_is_no_answer_is_tried_again(server: webhook.Webhook, breaks: Any) -> None:
    server.answers = [breaks, breaks]
    sends, place = sender(server)
    assert isinstance(sends.send(place, events()), Later)
    server.answers = []
    assert sends.send(place, events()) == Taken()


def test_a_server_that_says_nothing_is_not_waited_for_long(
    server: webhook.Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posts, "SECONDS", 0.2)
    server.answers = [webhook.hang]
    sends, place = sender(server)
    assert sends.send(place, events()) == Later("no answer within 0 s")


def drip(handler: Any) -> None:
    """Answers a letter at a time, and never to the end."""
    for letter in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 3000:
        if handler.server.closing.wait(0.02):
            break
        handler.wfile.write(bytes([letter]))
    handler.close_connection = True


def test_a_server_that_answers_by_drops_is_not_waited_for_long(server: webhook.Webhook) -> None:
    server.answers = [drip]
    sends, place = sender(server)
    assert isinstance(sends.send(place, events(), 0.5), Later)
    assert sends.send(place, events()) == Taken()


def test_an_answer_without_an_end_is_not_read_to_it(server: webhook.Webhook) -> None:
    server.answers = [webhook.pour]
    sends, place = sender(server)
    assert sends.send(place, events()) == Taken()
    assert sends.send(place, events()) == Taken()


def test_a_server_that_has_closed_an_idle_connection_is_asked_again_at_once(server: webhook.Webhook) -> None:
    sends, place = sender(server)
    sends.send(place, events("a"))
    server.answers = [webhook.hang_up]
    assert sends.send(place, events("b")) == Taken()
    assert server.connections == 2


def test_nobody_there_is_tried_again(server: webhook.Webhook) -> None:
    sends, place = sender(server, url=f"http://127.0.0.1:{free_ports(1)[0]}/")
    assert sends.send(place, events()) == Later("Connection refused")


class Deaf(socket.socket):
    """No address of TEST-NET-1 answers: a try takes all its time, by the test's clock."""

    now = 0.0
    tried: ClassVar[list[str]] = []

    def connect(self, address: Any) -> None:
        if address[0].startswith("192.0.2."):
            Deaf.tried.append(address[0])
            Deaf.now += self.gettimeout() or 1e9
            raise TimeoutError
        super().connect(address)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> type[Deaf]:
    Deaf.now, Deaf.tried = 0.0, []
    monkeypatch.setattr(posts, "time", SimpleNamespace(monotonic=lambda: Deaf.now))
    monkeypatch.setattr("socket.socket", Deaf)
    return Deaf


def resolved(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    def told(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]

    monkeypatch.setattr("socket.getaddrinfo", told)


def test_all_addresses_of_a_host_together_have_the_time(
    server: webhook.Webhook, deaf: type[Deaf], monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = [f"192.0.2.{host}" for host in range(1, 5)]
    resolved(monkeypatch, *hosts)
    sends, place = sender(server)
    assert isinstance(sends.send(place, events()), Later)
    assert deaf.tried == hosts
    assert deaf.now <= posts.SECONDS


def test_the_address_that_answers_is_found(
    server: webhook.Webhook, deaf: type[Deaf], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved(monkeypatch, "192.0.2.1", "127.0.0.1")
    sends, place = sender(server)
    assert sends.send(place, events()) == Taken()
    assert deaf.tried == ["192.0.2.1"]


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example/",
        "ftp://127.0.0.1/",
        "https://user:password@127.0.0.1/",
        "https://127.0.0.1:99999/",
        "https://127.0.0.1/a b",
        "no address",
    ],
)
def test_a_secret_that_is_no_good_address_is_refused_without_being_told(url: str) -> None:
    (sink,) = sinks_of([{"name": "ops", "type": "webhook", "urlFrom": "SENSORSCORE_SINK_0_1"}])
    answer = Webhook(sink, {"SENSORSCORE_SINK_0_1": url}).send(sink.place, events())
    assert isinstance(answer, Never)
    assert answer.all
    assert "password" not in answer.why


def test_a_missing_secret_is_said(server: webhook.Webhook) -> None:
    sends, place = sender(server, headers={"X-Key": "SENSORSCORE_SINK_0_9"})
    answer = sends.send(place, events())
    assert answer == Never("the Secret with the header X-Key is not there, or lacks the key", all=True)


def test_a_secret_with_several_lines_makes_no_further_header(server: webhook.Webhook) -> None:
    sends, place = sender(server, headers={"X-Key": "SENSORSCORE_SINK_0_0"})
    sends._secrets = {"SENSORSCORE_SINK_0_0": "a\r\nX-Other: b"}
    assert isinstance(sends.send(place, events()), Never)
    assert not server.posted


def certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *form) + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_tls_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    with webhook.Webhook(tls) as server:
        sends, place = sender(server, httpHosts=[])
        answer = sends.send(place, events())
        assert isinstance(answer, Later)
        assert answer.why.startswith("TLS: ")
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        sends, place = sender(server, httpHosts=[])
        assert sends.send(place, events()) == Taken()


def test_a_pod_that_publishes_sends_and_tells_no_secret(
    server: webhook.Webhook, capfd: pytest.CaptureFixture[str]
) -> None:
    store = MemoryStore()
    run = Run(store, OWN, dict.fromkeys("ab", "x"))
    settings = {
        "name": "ops",
        "type": "webhook",
        "urlFrom": "SENSORSCORE_SINK_0_1",
        "httpHosts": ["127.0.0.1"],
        "headers": {"Authorization": "SENSORSCORE_SINK_0_0"},
        "retrySeconds": 0,
    }
    order = run.order._replace(sinks=sinks_of([settings]), decisions="x", stage="Publish")
    server.answers = [(202, {}), (400, {})]
    code, message = published(store, order, SECRETS | {"SENSORSCORE_SINK_0_1": server.url})
    assert code == Exit.OK
    told = json.loads(message)["sinks"]["ops"]
    assert told == {"delivered": 1, "deadlettered": 1, "reason": "DeadLettered: answered 400"}
    assert [json.loads(each.body)["subject"] for each in server.posted] == ["a"]
    everything = capfd.readouterr().out + message.decode()
    everything += "".join(store.get(entry.path).data.decode("latin-1") for entry in store.list(""))
    for secret in (TOKEN, SECRET, server.url, "code=1"):
        assert secret not in everything


def published(store: MemoryStore, order: Any, secrets: dict[str, str]) -> tuple[Exit, bytes]:
    import scorer.publish.stage as stage

    decided = Decisions(len(order.sensors), True, "AllSucceeded", frozenset(), frozenset(), {})
    patch = pytest.MonkeyPatch()
    patch.setattr(stage, "read_decisions", lambda *_: decided)
    patch.setattr("scorer.clock.process_seconds", lambda: 0.0)  # the attempt's, not that of all tests
    try:
        header = Header(order.run.uid, 0, 0, "2026-01-01T13:01:00.000Z")
        return main_stage(order, store, Log(), Stopwatch(), header, secrets)
    finally:
        patch.undo()
