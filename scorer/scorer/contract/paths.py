"""Sensor names and path templates: which object in the store holds what.

A template is a relative path with the tokens `{sensor} {yyyy} {MM} {dd} {HH}`; date parts are UTC. A path of
predictions in shards holds `{shard}` in the place of `{sensor}`. A path of readings without `{sensor}` is of
files that sensors share, and its last segment may hold one `*`: all such files of the folder.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from itertools import takewhile

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
SHARD_TOKEN = "{shard}"  # noqa: S105 (likewise)
ANY = "*"

# A Kubernetes label value that is also one segment of a path.
_SENSOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_PART = re.compile(r"\{[A-Za-z]+\}|\*")
_TOKEN = re.compile(r"\{[^{}]*\}")


class TemplateError(InputError):
    """A path template that cannot be used, naming the token or segment that is wrong."""


def is_sensor_name(name: str) -> bool:
    """Whether this can be a sensor's name: a label value and one path segment."""
    return _SENSOR.fullmatch(name) is not None


def check_model_path(path: str) -> str:
    """The template itself, if it can name a model's folder. Raises TemplateError."""
    if ANY in path:
        raise TemplateError(f"path {path!r} holds {ANY}: a model lies in one place")
    dated = [token for token in _checked(path, _BELOW_MODEL) if token in DATE_TOKENS]
    if dated:
        raise TemplateError(f"path {path!r} holds {dated[0]}: a model's path has no date")
    return _with_sensor(path)


def check_readings_path(path: str) -> str:
    """The template itself, if it can name readings files. Raises TemplateError."""
    _checked(path)
    folder, _, name = path.rpartition("/")
    if ANY in folder or name.count(ANY) > 1:
        raise TemplateError(
            f"path {path!r} holds {ANY} in a folder or twice: wanted it once, in a file's name"
        )
    return path


def check_marker_path(path: str) -> str:
    """The template itself, if it can name what stands in a window's folder for all. Raises TemplateError."""
    if SENSOR_TOKEN in check_readings_path(path):
        raise TemplateError(f"path {path!r} holds {SENSOR_TOKEN}: a marker is of all sensors")
    return path


def check_object_path(path: str) -> str:
    """The path itself, if it can name one object of a store. Raises TemplateError."""
    if tokens := _checked(path):
        raise TemplateError(f"path {path!r} holds {tokens[0]}: wanted the name of one object")
    if ANY in path:
        raise TemplateError(f"path {path!r} holds {ANY}: wanted the name of one object")
    return path


def default_marker(path: str) -> str:
    """Where a window's `_SUCCESS` stands, by the path of its readings or predictions: in their folder.

    That is all before the first segment that is a sensor's own, or a file's.
    """
    return "/".join([*_folder(path), "_SUCCESS"])


def check_output_path(path: str, sharded: bool = False) -> str:
    """The template itself, if it can name a prediction file. Raises TemplateError."""
    tokens = _checked(path, token=SHARD_TOKEN if sharded else SENSOR_TOKEN)
    if ANY in path:
        raise TemplateError(f"path {path!r} holds {ANY}: predictions are written to one place")
    if sharded and SHARD_TOKEN not in tokens:
        raise TemplateError(f"path {path!r} does not hold {SHARD_TOKEN}: all shards would share one object")
    return path if sharded else _with_sensor(path)


_NOTHING: Mapping[str, str] = {}
RESERVED = ("runs", "rejected", "anomalies", "guard", "logs", "deadletter")
"""Folders of a store that the scorer writes to beside predictions."""
_MAY_BE = {
    "{yyyy}": r"\d{4}",
    "{MM}": r"\d\d",
    "{dd}": r"\d\d",
    "{HH}": r"\d\d",
    SENSOR_TOKEN: r"[A-Za-z0-9._-]+",
    SHARD_TOKEN: r"\d{5}",
    ANY: r"[^/]*",
    "{Year}": r"\d{4}",
    **dict.fromkeys(("{Month}", "{Day}", "{Hour}", "{Minute}", "{Second}"), r"\d\d"),
    **dict.fromkeys(("{Namespace}", "{EventHub}", "{PartitionId}"), r"[^/]+"),
}


def check_apart(output: str, readings: str, model: str, others: Mapping[str, str] = _NOTHING) -> None:
    """Raises TemplateError for predictions that could overwrite readings, models or what else is kept.

    So could their `_SUCCESS`: whoever waits for that of the readings would take it for theirs. `others` are
    further templates, with a word for what they are.
    """
    kept = {
        readings: "readings",
        f"{model}/current.json": "models",
        f"{model}/{ANY}/{ANY}": "models",
        default_marker(readings): "the readings' marker",
        **others,
    }
    own = (output, default_marker(output))
    for path, what in kept.items():
        if any(_may_meet(one, path) for one in own):
            raise TemplateError(f"path {output!r} may overwrite {what} at {path}: wanted a folder of its own")
    first = output.split("/")[0]
    if first in RESERVED:
        raise TemplateError(f"path {output!r} lies in {first}, which the scorer keeps for other things")


def _folder(path: str) -> list[str]:
    """The segments before the first one with a sensor's or shard's token; the last one is none."""
    parts = path.split("/")[:-1]
    return list(takewhile(lambda part: SENSOR_TOKEN not in part and SHARD_TOKEN not in part, parts))


def _may_meet(one: str, other: str) -> bool:
    """Whether two templates can come to the same path: segment by segment, so rather too often than never."""
    pairs = (one.split("/"), other.split("/"))
    return len(pairs[0]) == len(pairs[1]) and all(map(_segments_meet, *pairs))


def _segments_meet(one: str, other: str) -> bool:
    texts = [segment for segment in (one, other) if not _PART.search(segment)]
    if len(texts) == 2:
        return one == other
    if texts:
        return re.fullmatch(_pattern(other if texts[0] is one else one), texts[0], re.ASCII) is not None
    (begin, *_, end), (other_begin, *_, other_end) = _PART.split(one), _PART.split(other)
    begins = begin.startswith(other_begin) or other_begin.startswith(begin)
    return begins and (end.endswith(other_end) or other_end.endswith(end))


def _pattern(segment: str) -> str:
    first, *rest = _PART.split(segment)
    parts = zip(_PART.findall(segment), rest, strict=True)
    return re.escape(first) + "".join(_MAY_BE[part] + re.escape(text) for part, text in parts)


def names_window(path: str, span: Window) -> bool:
    """Whether the windows before and after this one, as long as it, have other paths than it."""
    length = span.end - span.start
    own = _expand(path, "", span.start)
    neighbours = (span.start - length, span.end) if span.start.year > 1 else (span.end,)
    return all(_expand(path, "", time) != own for time in neighbours)


def model_folder(path: str, sensor: str) -> str:
    """Where a sensor's model versions are."""
    return path.replace(SENSOR_TOKEN, sensor)


def output_path(path: str, sensor: str, window: Window) -> str:
    """Where a sensor's predictions for the window go: date parts are those of the window's start."""
    return _expand(path, sensor, window.start)


def shard_path(path: str, shard: int, window: Window) -> str:
    """Where the predictions of all sensors of a shard go."""
    return _expand(path, "", window.start).replace(SHARD_TOKEN, f"{shard:05}")


def shard_of(sensor: str, shards: int) -> int:
    """The shard of a sensor: by a hash of its name alone, so that it is the same in every run.

    The first 8 bytes of the name's SHA-256, as a big-endian number, modulo the number of shards.
    """
    return int.from_bytes(hashlib.sha256(sensor.encode()).digest()[:8], "big") % shards


def is_shared(path: str) -> bool:
    """Whether a readings path is of files that sensors share."""
    return SENSOR_TOKEN not in path


def day_folder(root: str, window: Window) -> str:
    """`ROOT/yyyy/MM/dd/HH` of the window's start, for what belongs to a window beside its predictions."""
    return _expand(f"{root}/{'/'.join(DATE_TOKENS)}", "", window.start)


def rejected_path(sensor: str, window: Window) -> str:
    """Where the rows that could not be scored go, each with its reason."""
    return f"{day_folder('rejected', window)}/{sensor}.jsonl"


def output_folder(path: str, window: Window) -> str:
    """The folder of the window's predictions, where `_SUCCESS` goes.

    It is all before the first segment with a sensor's or shard's token; empty for a template that begins so.
    """
    return _expand("/".join(_folder(path)), "", window.start)


def is_of_one_window(path: str) -> bool:
    """Whether the folder of a window's predictions holds no other window's: dates come before sensors."""
    below = path.split("/")[len(_folder(path)) :]
    return not any(token in part for part in below for token in DATE_TOKENS)


def readings_paths(path: str, sensor: str, window: Window, asa: bool = False) -> list[str]:
    """Where a sensor's readings of the window may be, in order of time; one path, once, for each file.

    Stream Analytics (`asa`) puts the reading of 10:00:00 into folder 10, ours lies in 09: there the folder of
    the hour that begins at the window's end, or in which it ends, is one more.
    """
    hours = [*window.hours(), *([window.end.replace(minute=0, second=0, microsecond=0)] if asa else [])]
    return list(dict.fromkeys(_expand(path, sensor, hour) for hour in hours))


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


def _checked(path: str, below: int = 0, token: str = SENSOR_TOKEN) -> list[str]:
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
    for found in tokens:
        if found not in (token, *DATE_TOKENS):
            raise TemplateError(f"path {path!r} holds {found}: wanted {token} {' '.join(DATE_TOKENS)}")
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
