"""Fixtures that start the real parts: each says loudly why it cannot, instead of skipping in silence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from local.azurite import Azurite
    from local.controlplane import ControlPlane


# A slow machine is no finding: speed is measured in tests/bench.
# The same examples each time, so that a run says something of the code and not of luck; HYPOTHESIS_EXPLORE=1
# looks at new ones.
settings.register_profile("sensorscore", deadline=None, derandomize=not os.environ.get("HYPOTHESIS_EXPLORE"))
settings.load_profile("sensorscore")


@pytest.fixture(scope="session")
def helm() -> Path:
    """Helm's program."""
    from local.build import program
    from local.places import Places

    return program(Places.here(), "helm")


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A real Azurite on loopback, empty at the session's start."""
    from local.azurite import Azurite

    with Azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def controlplane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server, controller manager, scheduler and etcd on loopback, without nodes."""
    from local.controlplane import ControlPlane

    with ControlPlane(tmp_path_factory.mktemp("controlplane")) as plane:
        yield plane
