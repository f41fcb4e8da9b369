"""The publish stage: what a run came to, written beside its predictions, `_SUCCESS` last.

    runs/{uid}/results.parquet                        every sensor of the run: how it went
    anomalies/{yyyy}/{MM}/{dd}/{HH}/{run}.parquet     those with anomalies
    runs/{uid}/manifest.json                          sums, and the digests of both
    …/_SUCCESS                                        beside the predictions: the run is complete

Everything is put on the condition that no later claim's stands there, and made from what lies in the store:
an attempt that was cut short leaves nothing that the next one does not write again.
"""

from scorer.publish.run import publish, publish_local
from scorer.publish.stage import main_stage

__all__ = ["main_stage", "publish", "publish_local"]
