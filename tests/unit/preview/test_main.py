"""The command line of the preview: what it writes, and what it says when it cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from local.ports import free_ports
from local.preview.__main__ import main
from local_server import LocalServer, Silent
from unit.preview import given

END = 10_800
ASKED: list[tuple[str, dict[str, list[str]]]] = []


class Answers(Silent, BaseHTTPRequestHandler):
    """A Prometheus that scrapes every 2 s and has one sample, twenty minutes old at `END`."""

    def do_GET(self) -> None:
        """Answer."""
        asked = urlsplit(self.path)
        form = parse_qs(asked.query)
        ASKED.append((asked.path, form))
        refused = "nonsense" in form.get("query", [""])[0]
        found = {"metric": {"name": "a"}, "value": [END, str(END - 1200)]}
        data = {
            "/api/v1/status/config": {"yaml": "global:\n  scrape_interval: 2s\n"},
            "/api/v1/query": {"resultType": "vector", "result": [found]},
        }.get(asked.path, {"resultType": "matrix", "result": []})
        body = (
            {"status": "error", "error": "unknown function"}
            if refused
            else {"status": "success", "data": data}
        )
        self.send_response(400 if refused else 200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


@pytest.fixture
def url() -> Iterator[str]:
    ASKED.clear()
    with LocalServer(Answers) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def write(folder: Path, *exprs: str) -> str:
    variable = {"name": "namespace", "type": "query", "query": "label_values(x, n)", "allValue": ".*"}
    file = folder / "given.json"
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "none"}
    document = given.document(given.panel_json("stat", *exprs, options=options), variables=[variable])
    file.write_text(json.dumps(document))
    return str(file)


def test_it_draws_a_page_and_a_picture(url: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = main(["--prometheus", url, "--out", str(out), "--end", str(END), write(tmp_path, "x")])
    assert code == 0
    assert sorted(file.name for file in out.iterdir()) == ["given.html", "given.svg"]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ([], "x{n=~'.*'}[1260s:8s]"),  # from a minute before the first scrape on; four scrapes of 2 s
        (["--hours", "2"], "x{n=~'.*'}[7200s:32s]"),
        (["--scrape-interval", "30"], "x{n=~'.*'}[1260s:120s]"),
        (["--var", "namespace=north"], "x{n=~'north'}[1260s:8s]"),
    ],
)
def test_it_looks_as_far_back_as_there_is_data_unless_told(
    url: str, tmp_path: Path, options: list[str], wanted: str
) -> None:
    file = write(tmp_path, "x{n=~'$namespace'}[$__range:$__rate_interval]")
    main(["--prometheus", url, "--out", str(tmp_path), "--end", str(END), *options, file])
    queries = [form["query"][0] for path, form in ASKED if path == "/api/v1/query"]
    assert queries[-1] == wanted


def test_a_refused_query_is_said_and_fails(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--prometheus", url, "--out", str(tmp_path), write(tmp_path, "nonsense(x)")])
    assert code == 1
    assert "refused: A panel: Prometheus refused `nonsense(x)`: unknown function" in capsys.readouterr().err


def test_nobody_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert main(["--prometheus", nobody, "--out", str(tmp_path), write(tmp_path, "x")]) == 1
    assert nobody in capsys.readouterr().err


def test_a_variable_without_a_value_is_named(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--prometheus", url, "--var", "namespace", write(tmp_path, "x")]) == 1
    assert "--var namespace: wanted NAME=VALUE" in capsys.readouterr().err
