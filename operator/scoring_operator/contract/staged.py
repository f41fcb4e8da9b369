"""What the pods of all stages but scoring say alike: whose message it is, and why they could not do it."""

from __future__ import annotations

from scoring_operator.contract.outcome import REASON
from scoring_operator.contract.untrusted import (
    TEXT_LIMIT,
    ContractError,
    Json,
    a_count,
    a_flag,
    a_text,
    an_object,
    check_head,
    clean,
    load,
    shown,
)
from scoring_operator.contract.work import VERSION


def stage_message(text: str, run: str, incarnation: int, stage: str) -> tuple[Json, bool, int]:
    """A message of that attempt, whether it is its last, and the milliseconds it took so far.

    Raises `ContractError` for all others.
    """
    data = load(text)
    check_head(data, v=VERSION, run=run, chunk=0, incarnation=incarnation, stage=stage)
    stages = an_object(data, "stagesMs") if "stagesMs" in data else {}
    total = a_count(stages, "total", "stagesMs") if "total" in stages else 0
    return data, a_flag(data, "final"), total


def failure_of(data: Json, limit: int = TEXT_LIMIT) -> str:
    """Why the stage could not be done, as `Reason: sentence`; empty if the message does not say."""
    if "failure" not in data:
        return ""
    failure = an_object(data, "failure")
    reason = a_text(failure, "reason")
    check_reason(reason, "failure")
    return f"{reason}: {clean(a_text(failure, 'message'), limit)}"


def check_reason(reason: str, where: str) -> None:
    """Raise `ContractError` for what is not one CamelCase word."""
    if not REASON.fullmatch(reason):
        raise ContractError(f"{where} give the reason {shown(reason)}; wanted one CamelCase word")
