"""Labels of Jobs and pods: by them the operator finds what is its own."""

from __future__ import annotations

from scoring_operator.resource import GROUP

MANAGED_BY, OURS = "app.kubernetes.io/managed-by", "sensorscore"
NAME, SCORER = "app.kubernetes.io/name", "sensorscore-scorer"
RUN, RUN_UID = f"{GROUP}/run", f"{GROUP}/run-uid"
CHUNK, INCARNATION, SENSOR = f"{GROUP}/chunk", f"{GROUP}/incarnation", f"{GROUP}/sensor"
STAGE, PREPARE_STAGE, PUBLISH_STAGE = f"{GROUP}/stage", "prepare", "publish"
SELECTOR = f"{MANAGED_BY}={OURS},{RUN_UID}"
