"""What libraries say is in the log, in the log's form."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from scorer.ingest.libraries import hear_libraries
from scorer.logs import Log


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers
    yield
    root.handlers = before


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    out, err = capfd.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def test_a_library_s_warning_is_one_line_of_json(capfd: pytest.CaptureFixture[str]) -> None:
    hear_libraries(Log(hub="readings"))
    logging.getLogger("azure.eventhub").warning("An error occurred.\nThe exception is %r", OSError("gone"))
    (line,) = lines(capfd)
    assert line["message"] == "An error occurred. The exception is OSError('gone')"
    assert (line["level"], line["logger"], line["hub"]) == ("warning", "azure.eventhub", "readings")


def test_what_is_less_than_a_warning_is_not_said(capfd: pytest.CaptureFixture[str]) -> None:
    hear_libraries(Log())
    logging.getLogger("azure.core").info("Request URL: …")
    assert lines(capfd) == []


def test_words_that_do_not_fit_their_arguments_are_said_as_they_are(
    capfd: pytest.CaptureFixture[str],
) -> None:
    hear_libraries(Log())
    logging.getLogger("azure.core").error("%d of %d", 1)  # noqa: PLE1206 (some do)
    (line,) = lines(capfd)
    assert line["message"].startswith("%d of %d: ")
    assert line["level"] == "error"
