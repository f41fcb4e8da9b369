"""Sensor names and path templates: which object in the store holds what.

A template is a relative path with the tokens `{sensor} {yyyy} {MM} {dd} {HH}`; date parts are UTC.
"""

from __future__ import annotations

import re
from datetime import datetime

from scorer.errors import InputError
from scorer.window import Window

MAX_TEMPLATE = 512
MAX_PATH = 1024
"""Of a path with its tokens filled in: Azure's limit for a blob's name."""
MAX_SENSOR = 63
MAX_VERSION = 40
"""Of a model version's name, a folder below the model's."""
_BELOW_MODEL = len("/") + MAX_VERSION + len("/model.safetensors")

DATE_TOKENS = ("{yyyy}", "{MM}", "{dd}", "{HH}")
SENSOR_TOKEN = "{sensor}"  # noqa: S105 (a placeholder in a path)

# A Kubernetes label value that is also one segment of a path.
_SENSOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_TOKEN = re.compile(r"\{[^{}]*\}")


class TemplateError(InputError):
    """A path template that cannot be used, naming the token or segment that is wrong."""


def is_sensor_name(name: str) -> bool:
    """Whether this can be a sensor's name: a label value and one path segment."""
    return _SENSOR.fullmatch(name) is not None


def check_model_path(path: str) -> str:
    """The template itself, if it can name a model's folder. Raises TemplateError."""
    dated = [token for token in _checked(path, _BELOW_MODEL) if token in DATE_TOKENS]
    if dated:
        raise TemplateError(f"path {path!r} holds {dated[0]}: a model's path has no date")
    return _with_sensor(path)


def check_readings_path(path: str) -> str:
    """The template itself, if it can name a readings file. Raises TemplateError."""
    _checked(path)
    return path


def check_output_path(path: str) -> str:
    """The template itself, if it can name a prediction file. Raises TemplateError."""
    _checked(path)
    return _with_sensor(path)


def model_folder(path: str, sensor: str) -> str:
    """Where a sensor's model versions are."""
    return path.replace(SENSOR_TOKEN, sensor)


def output_path(path: str, sensor: str, window: Window) -> str:
    """Where a sensor's predictions for the window go: date parts are those of the window's start."""
    return _expand(path, sensor, window.start)


def readings_paths(path: str, sensor: str, window: Window) -> list[str]:
    """Where a sensor's readings of the window may be, in order of time; one path, once, for each file."""
    return list(dict.fromkeys(_expand(path, sensor, hour) for hour in window.hours()))


def readings_path(path: str, sensor: str, hour: datetime) -> str:
    """Where the readings of the hour that begins here are, `window.hour_folder` of their times."""
    return _expand(path, sensor, hour)


def _expand(path: str, sensor: str, time: datetime) -> str:
    return (
        path.replace("{yyyy}", f"{time.year:04}")
        .replace("{MM}", f"{time.month:02}")
        .replace("{dd}", f"{time.day:02}")
        .replace("{HH}", f"{time.hour:02}")
        .replace(SENSOR_TOKEN, sensor)
    )


def _with_sensor(path: str) -> str:
    if SENSOR_TOKEN not in path:
        raise TemplateError(f"path {path!r} does not hold {SENSOR_TOKEN}: all sensors would share one object")
    return path


def _checked(path: str, below: int = 0) -> list[str]:
    """The template's tokens; `below` is the room wanted for names below its path. Raises TemplateError."""
    if not path:
        raise TemplateError(
            "path is empty: wanted one like predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"
        )
    if len(path) > MAX_TEMPLATE:
        raise TemplateError(f"path has {len(path)} characters: wanted at most {MAX_TEMPLATE}")
    if not path.isprintable():
        raise TemplateError(f"path {path!r} holds a control character")
    if "\\" in path:
        raise TemplateError(f"path {path} holds \\: wanted / between segments")
    if path.startswith("/"):
        raise TemplateError(f"path {path!r} starts with /: wanted one relative to the store")
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            raise TemplateError(f"path {path!r} has the segment {segment!r}{'' if segment else ' (empty)'}")
    tokens = _TOKEN.findall(path)
    for token in tokens:
        if token not in (SENSOR_TOKEN, *DATE_TOKENS):
            raise TemplateError(f"path {path!r} holds {token}: wanted {SENSOR_TOKEN} {' '.join(DATE_TOKENS)}")
    for brace in "{}":
        if brace in _TOKEN.sub("", path):
            raise TemplateError(f"path {path!r} holds a single {brace}")
    longest = len(_expand(path, "x" * MAX_SENSOR, datetime.min)) + below
    if longest > MAX_PATH:
        raise TemplateError(
            f"path holds {SENSOR_TOKEN} {tokens.count(SENSOR_TOKEN)} times and may come to "
            f"{longest} characters: wanted at most {MAX_PATH}"
        )
    return tokens
