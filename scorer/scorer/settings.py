"""What the scorer takes from its environment: nothing else in the package reads it.

Azure's workload identity has variables of its own, which the storage client reads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from scorer.contract.work import UsageError


class Settings(NamedTuple):
    """The environment's part of a pod's or a command's settings."""

    connection_string: str | None
    """Of the Azure storage account, from a Secret; without it the pod's identity is used."""
    message_path: str
    """Where the kubelet reads the termination message: the pod's own default, another one in tests."""
    plugins: Mapping[str, str] = {}
    """Name and module of each plugin that the image allows beside the built-in one. Models only name them."""
    plugin_seconds: float | None = None
    """For a plugin to load one model or to score one window. The runner's own default where it is not set."""
    hub_connection_string: str | None = None
    """Of the Event Hubs namespace that simulated events go to."""
    sinks: Mapping[str, str] = {}
    """What a work order's sinks name: their secrets, and the identity that they sign in by."""


IDENTITY = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST")
"""What the workload identity webhook puts into pods."""


def settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the environment."""
    return Settings(
        connection_string=environment.get("AZURE_STORAGE_CONNECTION_STRING") or _in_file(environment),
        message_path=environment.get("SENSORSCORE_MESSAGE_PATH") or "/dev/termination-log",
        plugins=_plugins(environment.get("SENSORSCORE_PLUGINS", "")),
        plugin_seconds=_seconds("SENSORSCORE_PLUGIN_SECONDS", environment),
        hub_connection_string=environment.get("EVENTHUB_CONNECTION_STRING") or None,
        sinks={
            name: value
            for name, value in environment.items()
            if name.startswith("SENSORSCORE_SINK_") or name in IDENTITY
        },
    )


def _in_file(environment: Mapping[str, str]) -> str | None:
    """The connection string of a mounted file, which does not stand in the pod's environment. UsageError."""
    name = "AZURE_STORAGE_CONNECTION_STRING_FILE"
    path = environment.get(name)
    if not path:
        return None
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is not loaded at a pod's start
            text = file.read(65_536).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"{name} is {path}: {why}; wanted a file with a connection string") from None
    if not text:
        raise UsageError(f"{name} is {path}: it is empty; wanted a file with a connection string")
    return text


def _plugins(text: str) -> dict[str, str]:
    """`name=package.module`, separated by commas."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        fits = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]{0,62})=([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)", part)
        if fits is None or fits[1] in found:
            raise UsageError(f"SENSORSCORE_PLUGINS has {part!r}: wanted NAME=PACKAGE.MODULE, each name once")
        found[fits[1]] = fits[2]
    return found


def _seconds(name: str, environment: Mapping[str, str]) -> float | None:
    text = environment.get(name)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text) or not float(text):
        raise UsageError(f"{name} is {text!r}: wanted seconds above 0")
    return float(text)


_PLUGIN_NAMES = frozenset(
    (
        *("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LD_LIBRARY_PATH"),
        *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED"),
    )
)
_PLUGIN_PREFIXES = ("PLUGIN_", "OMP_", "OPENBLAS_", "MKL_", "CUDA_", "NVIDIA_")


def plugin_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a plugin's process gets of the environment: what Python and libraries need, and `PLUGIN_…`.

    By name, not less the secrets: a secret that nobody thought of stays here. One BLAS thread, unless the
    image's maker wants more: others give other last digits.
    """
    given = {
        name: value
        for name, value in environment.items()
        if name in _PLUGIN_NAMES or name.startswith(_PLUGIN_PREFIXES)
    }
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**one, **given}


CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
"""All certificates in one file, where Debian and its kin keep them."""


def before_libraries() -> None:
    """Settings that libraries read when they are loaded.

    One BLAS thread: more of them give other last digits, and no speed at a model's sizes. The system's
    allocator takes 10 MiB less memory than those that Arrow brings. Certificates from one file: without this
    the storage client reads them a second time, from 140 files of their folder, for 10 ms.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if "SSL_CERT_DIR" not in os.environ and os.access(CERTIFICATES, os.R_OK):
        os.environ.setdefault("SSL_CERT_FILE", CERTIFICATES)
