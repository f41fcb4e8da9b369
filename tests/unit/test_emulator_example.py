"""The example with Microsoft's emulator: its files and commands are what their readers take."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from scorer.cli import _parser as scorer_parser
from scorer.ingest.service_settings import CONNECTION, service_settings
from scorer.simulate.cli import _parser as simulate_parser

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "emulator"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((EXAMPLE / "compose.yaml").read_text(encoding="utf-8"))
CONFIG = json.loads((EXAMPLE / "config.json").read_text(encoding="utf-8"))
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))


def told() -> dict[str, str]:
    return dict(re.findall(r"export ([A-Z_]+)='(.*)'", BLOCKS))


def test_ingest_takes_its_settings_and_what_they_name_is_in_the_emulator() -> None:
    found = service_settings(yaml.safe_load((EXAMPLE / "ingest.yaml").read_text(encoding="utf-8")), told())
    (namespace,) = CONFIG["UserConfig"]["NamespaceConfig"]
    (hub,) = namespace["Entities"]
    assert (hub["Name"], hub["ConsumerGroups"]) == (found.hub.name, [{"Name": found.hub.group}])
    assert found.hub.connection == told()[CONNECTION]
    assert found.store.endpoint == "http://127.0.0.1:10000/devstoreaccount1"
    ports = [port for service in COMPOSE["services"].values() for port in service["ports"]]
    assert {"127.0.0.1:5672:5672", "127.0.0.1:10000:10000"} <= set(ports)


def test_the_emulator_takes_its_configuration() -> None:
    # By the schema that comes with it: one namespace of this name, numbers of partitions as texts.
    (namespace,) = CONFIG["UserConfig"]["NamespaceConfig"]
    assert (namespace["Type"], namespace["Name"]) == ("EventHub", "emulatorNs1")
    for hub in namespace["Entities"]:
        assert isinstance(hub["PartitionCount"], str)
        assert 1 <= int(hub["PartitionCount"]) <= 32
        assert all(group["Name"].lower() != "$default" for group in hub["ConsumerGroups"])
    assert CONFIG["UserConfig"]["LoggingConfig"]["Type"] in (
        "File",
        "Console",
        "File,Console",
        "Console,File",
    )


def test_images_and_the_licence_are_the_users_to_name() -> None:
    wanted = set(re.findall(r"\$\{([A-Z_]+)", (EXAMPLE / "compose.yaml").read_text(encoding="utf-8")))
    (given,) = re.findall(r"cat > \.env <<'END'\n(.*?)\s+END", README, re.DOTALL)
    assert {line.strip().partition("=")[0] for line in given.splitlines()} == wanted


@pytest.mark.parametrize("program", ["scorer", "sensorscore-simulate"])
def test_its_commands_are_understood(program: str) -> None:
    parser = scorer_parser() if program == "scorer" else simulate_parser()
    lines = [line.strip() for line in BLOCKS.splitlines() if line.strip().startswith(f"{program} ")]
    assert len(lines) == 1
    line = lines[0].partition(" > ")[0]
    assert callable(parser.parse_args(shlex.split(line)[1:]).command)
