"""Proves from the store alone that a published run is complete and consistent.

The chain of digests goes `_SUCCESS` → manifest → results and anomalies → each sensor's prediction, which is
read and counted again. What a later run has replaced since is said, and is no fault.
"""

from scorer.verify.proof import Check, Proof
from scorer.verify.run import verify

__all__ = ["Check", "Proof", "verify"]
