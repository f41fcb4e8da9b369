"""What the scorer takes from its environment: nothing else in the package reads it.

Azure's workload identity has variables of its own, which the storage client reads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple


class Settings(NamedTuple):
    """The environment's part of a pod's or a command's settings."""

    connection_string: str | None
    """Of the Azure storage account, from a Secret; without it the pod's identity is used."""
    message_path: str
    """Where the kubelet reads the termination message: the pod's own default, another one in tests."""


def settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the environment."""
    return Settings(
        connection_string=environment.get("AZURE_STORAGE_CONNECTION_STRING") or None,
        message_path=environment.get("SENSORSCORE_MESSAGE_PATH") or "/dev/termination-log",
    )


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
