"""The settings file of the process: what may stand in it, and by which key a mistake is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest_fleet import told
from scorer.ingest.__main__ import main
from scorer.ingest.checks import SettingsError
from scorer.ingest.service_settings import CONNECTION, Rates, read, service_settings

HERE = {CONNECTION: "Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey=b"}


def test_a_file_says_all_and_secrets_come_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "ingest.yaml"
    file.write_text(yaml.safe_dump(told(rates={"commit": "30s", "batch": 100})))
    found = read(file, HERE)
    assert found.hub.connection == HERE[CONNECTION]
    assert found.rates == Rates(commit=30.0, batch=100)
    assert found.landing.layout == "Auto"


def test_without_a_connection_string_the_namespace_is_wanted() -> None:
    with pytest.raises(SettingsError, match=r"hub\.namespace is missing"):
        service_settings(told(), {})
    hub = {"name": "readings", "namespace": "fleet.servicebus.windows.net"}
    assert service_settings(told(hub=hub), {}).hub.namespace == "fleet.servicebus.windows.net"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"hubs": {}}, "hubs is not known"),
        ({"hub": {}}, "hub.name is missing"),
        ({"hub": {"name": "../x"}}, "hub.name is '../x'"),
        ({"hub": {"name": "x", "consumerGroup": "a/b"}}, "hub.consumerGroup is"),
        ({"hub": {"name": "x", "namespace": "https://x"}}, "hub.namespace is"),
        ({"store": {"url": 1}}, "store.url is 1"),
        ({"store": {"url": "memory://x", "allowHttp": "yes"}}, "store.allowHttp is"),
        ({"landing": {"format": "Avro"}}, "landing.format is"),
        ({"landing": {"shardRows": 1}}, "landing.shardRows is 1"),
        ({"deadLetters": "dead"}, "deadLetters is 'dead'"),
        ({"deadLetters": "/dead"}, "deadLetters: "),
        ({"folder": "a/../b"}, "folder is"),
        ({"rates": {"commit": "5"}}, "rates.commit is '5'"),
        ({"rates": {"commit": "0s"}}, "rates.commit is 0s"),
        ({"rates": {"batch": 0}}, "rates.batch is 0"),
        ({"rates": {"speed": "1s"}}, "rates.speed is not known"),
        ({"port": 70_000}, "port is 70000"),
        ({"window": {"size": "0s"}}, "window.size is"),
    ],
)
def test_mistakes_are_refused_by_their_key(more: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        service_settings(told(**more), HERE)
    assert said in str(refused.value)


def test_the_page_on_ingest_has_settings_that_are_taken() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "ingest.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yml\n(.*?)```", page, re.DOTALL)
    assert service_settings(yaml.safe_load(text), {}).landing.layout == "Sharded"


@pytest.mark.parametrize("text", ["[", "- a", "", "\x00", "!!python/object:os.system {}"])
def test_what_is_no_settings_file_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ingest.yaml"
    file.write_text(text)
    assert main([str(file), "--check"]) == 2
    assert capsys.readouterr().err.startswith("sensorscore-ingest: ")


def test_a_good_file_is_checked_without_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONNECTION, HERE[CONNECTION])
    file = tmp_path / "ingest.yaml"
    file.write_text(yaml.safe_dump(told()))
    assert main([str(file), "--check"]) == 0
