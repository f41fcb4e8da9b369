"""Pinned copies that are not what the operator has made: the run fails in words, not again and again."""

from __future__ import annotations

from typing import Any

import pytest

from scoring_operator.cluster import CONFIG_MAPS
from scoring_operator.decision import Unusable
from scoring_operator.jobs import DECISIONS_KEY, LIST_KEY, left_config_map_name, owner_reference
from scoring_operator.pinning import pin
from scoring_operator.ratelimit import TokenBucket
from scoring_operator.status import PREPARE, Status
from unit.operator.api_double import ApiDouble, serving
from unit.operator.clock import Clock
from unit.operator.given import NOW, a_run, spec_of


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "found no key 'list'"),
        ({LIST_KEY: "a"}, "found no key 'decisions.json'"),
        ({LIST_KEY: "a", DECISIONS_KEY: "{"}, "found Expecting property name"),
    ],
)
async def test_what_another_run_left_undone_must_be_in_its_copy(data: Any, words: str) -> None:
    run = a_run(
        Status(stage=PREPARE, phase="Running", start=NOW),
        sensors={"failedOf": {"name": "first", "uid": "first-uid"}},
    )
    name = left_config_map_name(run)
    api = ApiDouble()
    metadata = {"name": name, "namespace": run.namespace, "ownerReferences": [owner_reference(run)]}
    api.put(CONFIG_MAPS.path(run.namespace, name), {"metadata": metadata} | ({"data": data} if data else {}))
    async with serving(api) as cluster:
        found = await pin(cluster, TokenBucket(50, Clock()), run, spec_of(run))
    assert isinstance(found, Unusable)
    assert found.message.startswith(f"ConfigMap {name}: {words}")
    assert found.message.endswith("wanted what run first left undone")
