"""How this process takes memory and looks for garbage in it: it runs for long, and holds many small objects.

The client makes some 30 objects of a message, and the messages that wait are thousands. By the interpreter's
default thresholds all of them are looked through again and again for cycles: a tenth of all CPU time. Cycles
are few, but may hold large bodies: so there is a look after commits, at most each 5 s, and between only
where objects pile up. What is freed by its last reference, as most is, is freed at once as before.
"""

from __future__ import annotations

import gc

from scorer.allocator import give_back_free_pages, give_back_large_blocks

YOUNG, MIDDLE, OLD = 50_000, 20, 20
"""Objects more than were freed, until the youngest are looked through; such looks until one goes further."""


def spare_memory_and_looks() -> None:
    """Once, after the imports: what they made lives as long as the process, and is not looked at any more."""
    give_back_large_blocks()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)


def sweep() -> None:
    """Looks for cycles, and gives back what they and the messages since the last time left in the heaps."""
    gc.collect()
    give_back_free_pages()
