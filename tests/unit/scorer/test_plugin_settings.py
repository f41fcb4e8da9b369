"""What image and administrator say of plugins, and what a plugin gets to see."""

from __future__ import annotations

import pytest

from scorer.contract.work import UsageError
from scorer.settings import plugin_environment, settings


@pytest.mark.parametrize(
    ("text", "plugins"),
    [
        ("", {}),
        ("torch=anomaly.torch_plugin", {"torch": "anomaly.torch_plugin"}),
        (" a=x , b-2=y.z, ", {"a": "x", "b-2": "y.z"}),
    ],
)
def test_plugins_are_names_and_modules(text: str, plugins: dict[str, str]) -> None:
    assert settings({"SENSORSCORE_PLUGINS": text}).plugins == plugins


@pytest.mark.parametrize(
    "text", ["torch", "=x", "a=", "a=x;b=y", "a=../x", "a=x.", "a=.x", "a=x,a=y", "a b=x"]
)
def test_what_names_no_module_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"SENSORSCORE_PLUGINS has .*wanted NAME=PACKAGE\.MODULE"):
        settings({"SENSORSCORE_PLUGINS": text})


@pytest.mark.parametrize(("text", "seconds"), [("", None), ("300", 300.0), ("0.5", 0.5)])
def test_a_plugin_s_seconds(text: str, seconds: float | None) -> None:
    assert settings({"SENSORSCORE_PLUGIN_SECONDS": text}).plugin_seconds == seconds


@pytest.mark.parametrize("text", ["0", "-1", "inf", "1e3", "5 minutes", "0.0"])
def test_seconds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"SENSORSCORE_PLUGIN_SECONDS is .*wanted seconds above 0"):
        settings({"SENSORSCORE_PLUGIN_SECONDS": text})


def test_a_plugin_s_environment_holds_no_credentials_and_one_thread() -> None:
    secret = {
        "AZURE_STORAGE_CONNECTION_STRING": "s",
        "AZURE_CLIENT_ID": "s",
        "MY_TOKEN": "s",
        "AWS_SECRET": "s",
    }
    harmless = {
        "PATH": "/bin",
        "PLUGIN_DEVICE": "cuda:0",
        "CUDA_VISIBLE_DEVICES": "0",
        "OMP_NUM_THREADS": "4",
    }
    assert plugin_environment({**secret, **harmless}) == {
        **harmless,
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
