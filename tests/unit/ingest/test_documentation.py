"""What docs/ingest.md says can be said to the engine, and is what it takes when nothing is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from docs.pictures import ingest
from scorer.ingest.settings import Ordering, settings

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "ingest.md").read_text(encoding="utf-8")


def test_the_settings_of_the_page_are_taken_and_its_ordering_is_the_default() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert settings(yaml.safe_load(text)).ordering == Ordering()


def test_the_reasons_on_the_page_are_those_of_the_fuzz_targets() -> None:
    from fuzz.ingesting import REASONS

    for reason in REASONS:
        assert f"`{reason}`" in PAGE, reason


def test_the_picture_is_what_the_engine_makes_of_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "__file__", str(tmp_path / "pictures" / "ingest.py"))
    ingest.main()
    drawn = (tmp_path / "ingest.svg").read_text(encoding="utf-8")
    assert drawn == (DOCS / "ingest.svg").read_text(encoding="utf-8")
