"""Events that are late or out of order by a policy of `Correct`: they keep their own time.

Such an event, with time t, that the watermark w has overtaken:

- the window of t is open still (w is not after its end): it is put there, as if it had been in order;
- t is not further than the horizon before the arrival clock: it is *corrected*, a row of its own, to be added
  to what its window was when it was closed;
- else it is dropped as late or out of order.

It never moves a watermark. What is decided here hangs on events and their arrival alone, not on when windows
were closed or hours landed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scorer.ingest.settings import CORRECT, Settings
from scorer.ingest.watermarks import CORRECTED, KEPT, LATE, OUT_OF_ORDER, Judged
from scorer.ingest.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray


def settled(
    judged: Judged, settings: Settings, windows: Windows, times: NDArray[np.int64], clocks: NDArray[np.int64]
) -> Judged:
    """The same, with the fates of those that a policy of `Correct` is for; `times` are their own."""
    wanted = [
        fate
        for fate, policy in (
            (LATE, settings.ordering.on_late),
            (OUT_OF_ORDER, settings.ordering.on_out_of_order),
        )
        if policy == CORRECT
    ]
    if judged.fates is None or judged.marks is None or settings.corrections is None or not wanted:
        return judged
    these = np.flatnonzero(np.isin(judged.fates, wanted))
    fates, own = judged.fates.copy(), times[these]
    within = own >= clocks[these] - settings.corrections.horizon
    fates[these[within]] = CORRECTED
    still_open = windows.numbers(own) > windows.passed(judged.marks[these])
    fates[these[still_open]] = KEPT
    return judged._replace(fates=fates)
