"""A ScoringRun as a frozen value, read from the API's object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scoring_operator.contract import ContractError, Json
from scoring_operator.spec import Spec, parse_spec
from scoring_operator.status import Status
from scoring_operator.status_json import of_api
from scoring_operator.times import parse_time

GROUP, VERSION, PLURAL, KIND = "sensorscore.dev", "v1alpha1", "scoringruns", "ScoringRun"

SCHEDULE_LABEL = f"{GROUP}/schedule"  # of runs that a schedule made: its name

Key = tuple[str, str]  # namespace, name


class ResourceError(ValueError):
    """The object is not a ScoringRun that this operator understands."""


@dataclass(frozen=True, slots=True)
class Run:
    """One ScoringRun at one resourceVersion. A spec that is not understood is a sentence in its place."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: datetime
    deleting: bool
    spec: Spec | str
    status: Status
    schedule: str = ""  # as its label says: whoever made the run wrote it

    @property
    def key(self) -> Key:
        """What the run is called in the cluster."""
        return self.namespace, self.name


def parse_run(body: Json) -> Run:
    """A run from the API's object.

    Raises `ResourceError` only where nothing can be said to the user in the object itself: metadata or status
    that are broken. The schema refuses wrong specs; one that got through all the same (stored under an older
    CRD) must end in a condition and not in a loop, so that it is kept as the sentence that says what is
    wrong.
    """
    try:
        meta = body["metadata"]
        return Run(
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            resource_version=meta["resourceVersion"],
            generation=meta.get("generation", 0),
            created=parse_time(meta["creationTimestamp"]),
            deleting=bool(meta.get("deletionTimestamp")),
            spec=_spec_or_why_not(body.get("spec") or {}),
            status=of_api(body.get("status") or {}),
            schedule=str((meta.get("labels") or {}).get(SCHEDULE_LABEL) or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResourceError(f"{type(error).__name__}: {error}") from None


def _spec_or_why_not(body: Json) -> Spec | str:
    try:
        return parse_spec(body)
    except ContractError as error:
        return f"spec.{error}"
    except KeyError as error:
        return f"spec lacks {error}; is the CRD of this operator's version installed?"
    except (TypeError, ValueError, AttributeError) as error:
        return f"spec is not understood: {error}; is the CRD of this operator's version installed?"
