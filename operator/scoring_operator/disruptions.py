"""Pods that Kubernetes takes away, and when that has been often enough.

A drained, reclaimed or lost node is nobody's failure: a Job makes its pod again and counts no attempt of its
backoffLimit for it, by the `DisruptionTarget` condition or by the scorer's exit code at SIGTERM (Karpenter
deletes the last pods of a node that is reclaimed without that condition). Left to itself a Job would do so
for ever, on nodes that come and go faster than its work. So there is a cap of the administrator's.

SIGTERM also comes to a pod that has used up its node's disk or its own time, which is its own doing: such
ends are counted here against the run's backoffLimit, since the Job cannot tell them.

What is counted is what is seen of pods in this process's life: an operator that starts anew counts anew, so
that a chunk is never given up too early.
"""

from __future__ import annotations

from collections.abc import Sequence

from scoring_operator.contract import clean
from scoring_operator.outcomes import DISRUPTED, cause_of
from scoring_operator.records import PodRecord


def given_up(pods: Sequence[PodRecord], limit: int, backoff_limit: int) -> tuple[str, str] | None:
    """Reason and sentence for a chunk whose Job is not to make a further pod; None if it may."""
    taken = sorted((pod for pod in pods if pod.taken), key=lambda pod: pod.order)
    own = [pod for pod in taken if pod.by_own_doing]
    if len(own) > backoff_limit:
        return cause_of(own[-1])
    if len(taken) <= limit:
        return None
    last = taken[-1]
    why = f" ({last.disruption})" if last.disruption else ""
    times = f"wanted at most {limit} times (limits.disruptionsPerChunk)"
    wanted = f"{times}: nodes that last longer, or fewer sensorsPerJob"
    return DISRUPTED, clean(
        f"pod {last.name} was taken from its node{why}, as {len(taken) - 1} before it; {wanted}"
    )
