"""The double in a thread of its own, for tests that wait or have no event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from .double import EventHubs

Result = TypeVar("Result")


class Threaded:
    """Runs a double's event loop in a thread; `do` is how to reach it from elsewhere.

    with Threaded(EventHubs({"readings": 4})) as hubs:
        hubs.do(lambda double: double.cut())
    """

    def __init__(self, double: EventHubs) -> None:
        self.double = double
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self.double.start())
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(self.double.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def connection_string(self, hub: str = "") -> str:
        """As the double's."""
        return self.double.connection_string(hub)

    def do(self, action: Callable[[EventHubs], Result]) -> Result:
        """What `action` gives, done in the double's own thread."""

        async def act() -> Result:
            return action(self.double)

        return self._wait(act())

    def stop(self) -> None:
        """The hub is gone, what is in it is not."""
        self._wait(self.double.stop())

    def start(self) -> None:
        """It is there again, at the same port."""
        self._wait(self.double.start())

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
