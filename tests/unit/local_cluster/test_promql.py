"""Prometheus is asked at the address that it is given, path and scheme included."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from local import promql
from local.errors import LocalError
from local_server import LocalServer, Silent


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the paths that it was asked for."""
    asked: list[str] = []

    class Answers(Silent, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(http.client.OK)
            self.end_headers()

    with LocalServer(Answers) as listening:
        yield f"127.0.0.1:{listening.server_port}", asked


def test_an_address_may_have_a_path(server: tuple[str, list[str]]) -> None:
    address, asked = server
    for path in ("", "/", "/prometheus", "/prometheus/"):
        assert promql.ready(f"http://{address}{path}")
    assert asked == ["/-/ready", "/-/ready", "/prometheus/-/ready", "/prometheus/-/ready"]


def test_https_is_spoken_where_it_is_asked_for(server: tuple[str, list[str]]) -> None:
    """This server does not speak it, and so is not asked in plain text."""
    address, asked = server
    assert not promql.ready(f"https://{address}")
    assert asked == []


@pytest.mark.parametrize("url", ["ftp://a:9090", "a:9090", "//a:9090", "http://"])
def test_what_is_no_address_of_http_is_refused(url: str) -> None:
    with pytest.raises(LocalError, match="not an address such as"):
        promql.ask(url, "/-/ready")
