"""How the process of ingest looks for garbage, in a process of its own: it is a setting of all of it."""

import subprocess
import sys

SEEN = """
import gc, weakref
from scorer.ingest.memory import spare_memory_and_looks
spare_memory_and_looks()
class Node: pass
def ring():
    node = Node(); node.self = node
    return weakref.ref(node)
looks = gc.get_stats()[0]["collections"]
kept = [[] for _ in range(10_000)]
first = ring()
print(gc.get_freeze_count() > 1_000, gc.get_stats()[0]["collections"] - looks, first() is None)
kept += [[] for _ in range(100_000)]
print(first() is None)
"""


def test_messages_that_wait_are_not_looked_through_again_and_again_and_cycles_go_all_the_same() -> None:
    found = subprocess.run([sys.executable, "-c", SEEN], check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["True", "0", "False", "True"]
