"""All targets by name, and each one's module: a process that feeds one loads no more than that."""

from __future__ import annotations

from importlib import import_module

from fuzz.target import Target

MODULES = ("readers", "capturing", "models", "objects", "runs", "reports", "preparing", "ingesting")


def targets(module: str) -> dict[str, Target]:
    """A module's targets by name."""
    return {target.name: target for target in import_module(f"fuzz.{module}").TARGETS}


def all_targets() -> dict[str, tuple[str, Target]]:
    """All of them, with their modules."""
    return {name: (module, target) for module in MODULES for name, target in targets(module).items()}
