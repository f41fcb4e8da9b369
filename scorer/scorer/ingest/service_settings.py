"""The settings file of `sensorscore-ingest`: YAML, and so JSON too. Mistakes are refused by key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from scorer.contract.paths import DATE_TOKENS, TemplateError, check_marker_path
from scorer.ingest.beginning import NEWEST, OLDEST
from scorer.ingest.checks import SettingsError, choice_of, duration, known, object_of, text_of, whole
from scorer.ingest.landing import (
    AUTO,
    FORMATS,
    LAYOUTS,
    PARQUET,
    SHARD_ROWS,
    Landing,
    checked,
    in_folder,
    names_files,
)
from scorer.ingest.patterns import is_pattern, translated
from scorer.ingest.raw import Raw
from scorer.ingest.raw_settings import raw_of
from scorer.ingest.settings import Settings, settings

_ENGINE = ("mapping", "window", "columns", "ordering", "maxSensors", "corrections")
_SECOND = 1_000_000
_HOUR = 3_600 * _SECOND
_ENTITY = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._$-]{0,254}", re.ASCII)
CONNECTION = "EVENTHUB_CONNECTION_STRING"
REPLICA = "SENSORSCORE_REPLICA"
"""The pod's name, by the chart."""
DEAD_LETTERS = "deadletter/{yyyy}/{MM}/{dd}/{HH}"


class Hub(NamedTuple):
    """Where events come from."""

    name: str
    group: str = "$Default"
    namespace: str = ""
    """Like NAME.servicebus.windows.net; empty where a connection string says it."""
    connection: str = ""
    start: str = OLDEST
    """Where partitions without a state begin: Oldest, Newest, or a time."""


class StoreAt(NamedTuple):
    """Where readings go, and all that ingest keeps."""

    url: str
    endpoint: str | None = None
    allow_http: bool = False


class Rates(NamedTuple):
    """How often and how much, in seconds and events."""

    commit: float = 10.0
    """Between two commits of a partition: each is a request, and what a crash makes anew."""
    land: float = 5.0
    """Between two looks at whether an hour is over."""
    monitor: float = 15.0
    """Between two questions to the hub how far it is."""
    stall: float = 120.0
    """Without movement, though the hub has more, until health turns bad."""
    allowance: float = 10.0
    """This machine's clock may be so much ahead of the hub's: silent partitions are that much later."""
    balance: float = 5.0
    """Between two looks at who has which partitions: what is given back stands still for so long."""
    expire: float = 30.0
    """Who is not heard of for so long has no partitions any more. A third of it is between two renewals of a
    claim, each a write in Blob Storage: at 10 s some 8,640 a day for each partition, as many as its commits.
    Left out: three times `balance` if that is longer."""
    claim: float = 60.0
    """A lander that is not heard of for so long is replaced."""
    batch: int = 300
    prefetch: int = 3_000
    """Events: the client sleeps 50 ms after each round of so many, and no less helps."""


class ServiceSettings(NamedTuple):
    """All that the process is told."""

    hub: Hub
    store: StoreAt
    engine: Settings
    landing: Landing = Landing()
    dead_letters: str = DEAD_LETTERS
    folder: str = "ingest"
    rates: Rates = Rates()
    port: int = 8080
    replica: str = ""
    """This replica's name: the same when its process is started again, and no other's. Empty: it has none."""
    raw: Raw | None = None
    """Where events are kept as they came; None: nowhere."""


def read(path: Path, environment: Mapping[str, str] = os.environ) -> ServiceSettings:
    """The settings of a file. Raises SettingsError naming file or key."""
    try:
        given = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise SettingsError(f"{path} is no YAML: {said:.300}") from error
    return service_settings(given, environment)


def service_settings(given: Any, environment: Mapping[str, str]) -> ServiceSettings:
    """Settings from their YAML or JSON form; secrets from the environment. Raises SettingsError."""
    given = object_of(given, "settings")
    known(
        given,
        "",
        ("hub", "store", *_ENGINE[:3]),
        (*_ENGINE[3:], "landing", "deadLetters", "raw", "folder", "rates", "port"),
    )
    engine = settings({key: given[key] for key in _ENGINE if key in given})
    folder = text_of(given.get("folder", "ingest"), "folder")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*", folder):
        raise SettingsError(f"folder is {folder!r}: wanted a path like ingest")
    return ServiceSettings(
        _hub(object_of(given["hub"], "hub"), environment),
        _store(object_of(given["store"], "store")),
        engine,
        _landing(object_of(given.get("landing", {}), "landing")),
        _dead_letters(given.get("deadLetters", DEAD_LETTERS)),
        folder,
        _rates(object_of(given.get("rates", {}), "rates")),
        whole(given.get("port", 8080), "port", 0, 65_535),
        replica=_replica(environment),
        raw=raw_of(given.get("raw")),
    )


def _replica(environment: Mapping[str, str]) -> str:
    name = environment.get(REPLICA, "")
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,253}", name, re.ASCII):
        raise SettingsError(f"{REPLICA} is {name!r:.80}: wanted letters, digits, '.', '_' and '-'")
    return name


def _hub(given: Mapping[str, Any], environment: Mapping[str, str]) -> Hub:
    known(given, "hub.", ("name",), ("namespace", "consumerGroup", "start"))
    names = {
        key: text_of(given.get(key, default), f"hub.{key}")
        for key, default in (("name", ""), ("consumerGroup", "$Default"))
    }
    for key, name in names.items():
        if not _ENTITY.fullmatch(name):
            raise SettingsError(f"hub.{key} is {name!r}: wanted letters, digits, '.', '_' and '-'")
    connection = environment.get(CONNECTION, "")
    namespace = text_of(given["namespace"], "hub.namespace") if "namespace" in given else ""
    if not connection and not namespace:
        raise SettingsError(
            f"hub.namespace is missing: wanted NAME.servicebus.windows.net, or {CONNECTION} set"
        )
    if "/" in namespace or ":" in namespace:
        raise SettingsError(f"hub.namespace is {namespace!r}: wanted a host like NAME.servicebus.windows.net")
    start = _start(given.get("start", OLDEST))
    return Hub(names["name"], names["consumerGroup"], namespace, connection, start)


def _start(given: Any) -> str:
    """As it was given, or a time in one form: YAML makes a date of a time without quotes."""
    if given in (OLDEST, NEWEST):
        return str(given)
    try:
        found = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        found = None
    if not isinstance(found, datetime) or found.tzinfo is None or not 1970 < found.year < 9999:
        raise SettingsError(
            f"hub.start is {str(given)!r}: wanted {OLDEST}, {NEWEST} or a time like 2026-01-01T12:00:00Z"
        )
    return found.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _store(given: Mapping[str, Any]) -> StoreAt:
    known(given, "store.", ("url",), ("endpoint", "allowHttp"))
    allow = given.get("allowHttp", False)
    if not isinstance(allow, bool):
        raise SettingsError(f"store.allowHttp is {allow!r}: wanted true or false")
    endpoint = text_of(given["endpoint"], "store.endpoint") if "endpoint" in given else None
    return StoreAt(text_of(given["url"], "store.url"), endpoint, allow)


def _landing(given: Mapping[str, Any]) -> Landing:
    known(given, "landing.", (), ("format", "layout", "path", "dateFormat", "timeFormat", "shardRows"))
    texts = {
        key: text_of(given[key], f"landing.{key}") if key in given else None
        for key in ("path", "dateFormat", "timeFormat")
    }
    pattern = texts["path"] or ""
    landing = Landing(
        choice_of(given.get("format", PARQUET), "landing.format", FORMATS),
        choice_of(given.get("layout", AUTO), "landing.layout", LAYOUTS),
        translated(pattern, texts["dateFormat"], texts["timeFormat"]),
        whole(given.get("shardRows", SHARD_ROWS), "landing.shardRows", 1_000, 50_000_000),
    )
    if is_pattern(pattern) and not names_files(landing.path):  # a folder, as there
        return in_folder(landing._replace(path=""), landing.path.removesuffix("/"))
    return checked(landing)


def _dead_letters(given: Any) -> str:
    if given is None:
        return ""
    path = text_of(given, "deadLetters")
    try:
        check_marker_path(path)
    except TemplateError as error:
        raise SettingsError(f"deadLetters: {error}") from error
    if "*" in path or any(token not in path for token in DATE_TOKENS):
        raise SettingsError(f"deadLetters is {path!r}: wanted a folder with {' '.join(DATE_TOKENS)}")
    return path


def _rates(given: Mapping[str, Any]) -> Rates:
    usual = Rates()
    lengths = {"commit", "land", "monitor", "stall", "allowance", "balance", "expire", "claim"}
    counts = {"batch": 5_000, "prefetch": 50_000}
    known(given, "rates.", (), (*sorted(lengths), *counts))
    told: dict[str, Any] = {
        key: duration(value, f"rates.{key}", 0 if key == "allowance" else _SECOND // 100, _HOUR) / _SECOND
        for key, value in given.items()
        if key in lengths
    }
    told |= {key: whole(given[key], f"rates.{key}", 1, most) for key, most in counts.items() if key in given}
    found = usual._replace(**told)
    if "expire" not in told:
        return found._replace(expire=max(usual.expire, 3 * found.balance))
    if found.expire < 2 * found.balance:
        raise SettingsError(
            f"rates.expire is {given['expire']}: wanted twice rates.balance at least, {2 * found.balance:g}s"
        )
    return found
