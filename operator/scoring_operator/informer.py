"""kopf, as the informer of ScoringRuns and nothing more.

Only `on.event` handlers: they write no annotations and no finalizers into users' objects, and an object can
be deleted while the operator is away. What kopf's stream misses (it does not tell deletions that happened
while a watch was broken) the controller's resync makes good.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import kopf

from scoring_operator.contract import Json
from scoring_operator.resource import GROUP, PLURAL, VERSION

RunEventSeen = Callable[[str | None, Json], None]  # kind of event (None: from a list), the object


class _ForEver:
    """Pauses between kopf's attempts, without end: an API server that is away must not end the operator."""

    def __iter__(self) -> Iterator[float]:
        yield from (1.0, 2.0, 3.0, 5.0, 8.0, 13.0)
        while True:
            yield 20.0


def operator_settings() -> kopf.OperatorSettings:
    """kopf's settings, each with its reason."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True  # one replica, Recreate: no gossip among operators
    settings.scanning.disabled = True  # no rights on CRDs and namespaces are wanted
    settings.posting.enabled = False  # Events are the controller's, few and after the status write
    settings.posting.loggers = False
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 30
    settings.watching.inactivity_timeout = 90  # bookmarks come every minute
    settings.watching.reconnect_backoff = 1.0
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _ForEver()
    settings.execution.max_workers = 1  # all handlers are async
    # never written; if it ever were, it should say whose it is
    settings.persistence.finalizer = f"{GROUP}/unused"
    settings.process.ultimate_exiting_timeout = None  # how long we take to stop is for __main__ to say
    return settings


def registry(seen: RunEventSeen) -> kopf.OperatorRegistry:
    """The handlers: how to log in, and whom to tell of runs."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def log_in(**kwargs: Any) -> kopf.ConnectionInfo | None:
        if os.environ.get("KUBECONFIG"):
            return kopf.login_with_kubeconfig(**kwargs)
        account = kopf.login_with_service_account(**kwargs)
        if account is None:
            return kopf.login_with_kubeconfig(**kwargs)
        # kopf asks for kubernetes.default.svc; the address works without the cluster's DNS, too.
        host, port = (
            os.environ.get("KUBERNETES_SERVICE_HOST"),
            os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
        )
        if not host:
            return account
        return replace(
            account, server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        )

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def tell(event: kopf.RawEvent, **_: Any) -> None:
        seen(event["type"], dict(event["object"]))

    return handlers


async def inform(namespaces: Sequence[str], seen: RunEventSeen) -> None:
    """Tell `seen` of every ScoringRun event. kopf takes SIGTERM and SIGINT over, and then this returns."""
    await kopf.operator(
        registry=registry(seen),
        settings=operator_settings(),
        clusterwide=not namespaces,
        namespaces=list(namespaces),
        # Else kopf asks for the name of the process's user, and an image's user has none.
        identity="sensorscore-operator",  # type: ignore[arg-type]
    )
