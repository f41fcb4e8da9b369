"""Messages as JSON: what the Azure reference's own simulator sends, or an array of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scorer.simulate.messages import Messages
from scorer.simulate.readings import Sensors

if TYPE_CHECKING:
    from numpy.typing import NDArray


def bodies(due: Messages, sensors: Sensors) -> list[str]:
    """One body a message: an object, or an array of them where a message has several readings."""
    members = sensors.members
    events = [
        f'{{"{sensors.time}":"{time}",{members[sensor]},"{sensors.value}":{value!r}}}'
        for time, sensor, value in zip(
            time_texts(due.times), due.sensors.tolist(), due.values.tolist(), strict=True
        )
    ]
    if len(events) == len(due.counts):
        return events
    ends = np.cumsum(due.counts).tolist()
    return [
        events[first] if last - first == 1 else f"[{','.join(events[first:last])}]"
        for first, last in zip([0, *ends], ends, strict=False)
    ]


def time_texts(times: NDArray[np.int64]) -> list[str]:
    """RFC 3339 with seven digits of a second, as .NET writes them."""
    return [f"{text}0Z" for text in np.datetime_as_string(times.view("datetime64[us]"), unit="us").tolist()]
