"""The connection string, from the environment or from a mounted file."""

from __future__ import annotations

from pathlib import Path

import pytest

from scorer.contract.work import UsageError
from scorer.settings import settings

NAME = "AZURE_STORAGE_CONNECTION_STRING"


def test_a_connection_string_can_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "connection-string"
    file.write_text("AccountName=a;AccountKey=b\n", encoding="utf-8")
    assert settings({f"{NAME}_FILE": str(file)}).connection_string == "AccountName=a;AccountKey=b"
    # What stands in the environment itself is used, and no file then asked for.
    assert settings({NAME: "x", f"{NAME}_FILE": "/absent"}).connection_string == "x"
    assert settings({}).connection_string is None


@pytest.mark.parametrize(
    ("data", "words"),
    [(None, "No such file"), (b" \n", "it is empty"), (b"\xff\xfe", "not UTF-8")],
)
def test_a_file_that_holds_none_is_named_and_not_shown(
    tmp_path: Path, data: bytes | None, words: str
) -> None:
    file = tmp_path / "connection-string"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(UsageError, match=f"{NAME}_FILE is .*{words}.*; wanted a file with a connection"):
        settings({f"{NAME}_FILE": str(file)})
