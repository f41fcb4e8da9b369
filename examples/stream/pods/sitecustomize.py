"""The demo's clock, in pods of the demo only: Python imports a module of this name before anything else.

`STREAM_CLOCK` has three numbers: when (Unix time), what time it is then, how many times as fast it goes.
In ingest's pods it is the clock that the engine is given, and nothing else's: requests to storage are signed
with the machine's. In a schedule's it is what `datetime.now` says, by which it knows what windows are over.
"""

import datetime
import importlib.util
import os
import time

_WHEN, _THEN, _SPEED = map(float, os.environ["STREAM_CLOCK"].split())


def _now() -> float:
    return _THEN + _SPEED * (time.time() - _WHEN)


def _in_ingest() -> None:
    from scorer.ingest.consumer import Clocks

    given = Clocks.__new__.__defaults__ or ()
    if time.time not in given:
        raise LookupError("the engine is given no clock any more")
    Clocks.__new__.__defaults__ = tuple(_now if each is time.time else each for each in given)


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_Datetime":
        return cls.fromtimestamp(_now(), tz)


try:
    if importlib.util.find_spec("scorer"):
        _in_ingest()
    else:
        datetime.datetime = _Datetime  # type: ignore[misc]
except Exception as error:  # which Python would mention, and go on by the machine's clock
    raise SystemExit(f"the demo's clock: {error!r}") from error
