"""The life of a pod that publishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from scorer.contract.exits import Exit
from scorer.publish.stage import main_stage
from scorer.staged import staged_pod

if TYPE_CHECKING:
    from scorer.clock import Stopwatch
    from scorer.contract.outcome import Header
    from scorer.contract.work import WorkOrder
    from scorer.logs import Log
    from scorer.settings import Settings
    from scorer.storage import Store


def publish_pod(
    order: WorkOrder, environment: Settings, clock: Stopwatch, leave: Callable[[Exit], None]
) -> Exit:
    """Publishes the run and says so."""

    def work(store: Store, log: Log, header: Header) -> tuple[Exit, bytes]:
        return main_stage(order, store, log, clock, header, environment.sinks)

    return staged_pod(order, environment, clock, leave, work)
