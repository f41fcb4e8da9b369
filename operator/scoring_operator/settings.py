"""The administrator's settings: one YAML file, typed; a mistake is refused by its key's path.

What a run may name (stores, runtimes) is listed here and only here: who may create a ScoringRun thereby does
not choose image, identity, nodes or storage account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


class SettingsError(ValueError):
    """A setting is not as wanted; the text names its path."""


@dataclass(frozen=True)
class SecretKey:
    """One key of a Secret in the run's namespace; the operator itself never reads it."""

    name: str
    key: str


@dataclass(frozen=True)
class Store:
    """A place for models, readings and predictions, and who may use it."""

    name: str
    url: str  # azure://ACCOUNT/CONTAINER/optional/prefix; required
    endpoint: str = ""  # only where the account is not at its Azure address: Azurite, private clouds
    allow_http: bool = False  # plain HTTP gives readings away to the network: only for a local Azurite
    connection_string_secret: SecretKey | None = None  # none: workload identity or managed identity
    workload_identity: bool = False  # labels the pods for Azure's webhook
    service_account_name: str = "default"  # the pods' identity, in the run's namespace
    namespaces: frozenset[str] = frozenset()  # who may use it; empty: every watched namespace

    def offered_to(self, namespace: str) -> bool:
        """Whether runs of `namespace` may name this store."""
        return not self.namespaces or namespace in self.namespaces


@dataclass(frozen=True)
class Runtime:
    """What a scoring pod is, but for its work."""

    name: str
    image: str  # required
    image_pull_policy: str = "IfNotPresent"  # a tag that is moved wants Always
    resources: Mapping[str, Any] = field(default_factory=dict)  # Kubernetes' requests and limits
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What the operator allows itself, to stay a good neighbour in the cluster."""

    # over all runs: about what the Job controller and a scheduler carry without lag
    unfinished_jobs: int = 2000
    writes_per_second: int = (
        50  # creates and deletes: above the Job controller's own pace, below API fairness limits
    )


@dataclass(frozen=True)
class Http:
    """Where /metrics, /healthz and /readyz are served."""

    port: int = 8080  # unprivileged; 0 takes a free one, for tests


@dataclass(frozen=True)
class Timing:
    """How patient the operator is. Seconds, but for the debounce. Shortened in tests only."""

    debounce_milliseconds: int = 200  # bundles the events of many pods into one reconcile
    status_seconds: int = 2  # between two status writes of a run: people look at it, etcd keeps each one
    resync_seconds: int = 60  # a missed event is made good within a minute; a list costs little
    outcome_grace_seconds: int = 10  # a Job's end may be seen before its pod's message
    sensors_grace_seconds: int = 60  # `kubectl apply -f folder/` may create the run before its ConfigMap
    stream_stale_seconds: int = 300  # API servers send a bookmark a minute: five missed ones are no accident


@dataclass(frozen=True)
class Settings:
    """Everything the operator can be told."""

    stores: Mapping[str, Store]
    runtimes: Mapping[str, Runtime]
    namespaces: tuple[str, ...] = ()  # watched namespaces; empty: all
    limits: Limits = Limits()
    http: Http = Http()
    timing: Timing = Timing()


def load(path: Path) -> Settings:
    """Read the file; raises `SettingsError`."""
    try:
        return parse(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"settings file {path} cannot be read: {error}") from None


def parse(data: object) -> Settings:
    """Settings from what YAML gave; raises `SettingsError`."""
    top = _Section({} if data is None else data, "settings")
    settings = Settings(
        stores=top.named("stores", _store),
        runtimes=top.named("runtimes", _runtime),
        namespaces=tuple(top.texts("namespaces")),
        limits=_limits(top.section("limits")),
        http=Http(port=_one(top.section("http"), "port", Http.port, 0, 65535)),
        timing=_timing(top.section("timing")),
    )
    top.end()
    return settings


def _store(name: str, section: _Section) -> Store:
    secret = section.section("connectionStringSecret")
    has_secret = bool(secret.data)
    store = Store(
        name=name,
        url=section.text(
            "url",
            wanted=r"azure://[a-z0-9]+/[^\s]+",
            words="azure://ACCOUNT/CONTAINER",
        ),
        endpoint=section.text(
            "endpoint", "", wanted=r"(https?://[^\s]+)?", words="an http:// or https:// address"
        ),
        allow_http=section.flag("allowHttp", default=False),
        connection_string_secret=SecretKey(secret.text("name"), secret.text("key", "connection-string"))
        if has_secret
        else None,
        workload_identity=section.flag("workloadIdentity", default=False),
        service_account_name=section.text("serviceAccountName", Store.service_account_name),
        namespaces=frozenset(section.texts("namespaces")),
    )
    secret.end()
    section.end()
    return store


def _runtime(name: str, section: _Section) -> Runtime:
    resources = section.section("resources")
    runtime = Runtime(
        name=name,
        image=section.text("image"),
        image_pull_policy=section.text(
            "imagePullPolicy",
            Runtime.image_pull_policy,
            wanted="Always|IfNotPresent|Never",
            words="Always, IfNotPresent or Never",
        ),
        resources={kind: texts for kind in ("requests", "limits") if (texts := resources.mapping(kind))},
        node_selector=section.mapping("nodeSelector"),
        tolerations=tuple(section.objects("tolerations")),
        env=section.mapping("env"),
    )
    resources.end()
    section.end()
    return runtime


def _limits(section: _Section) -> Limits:
    limits = Limits(
        unfinished_jobs=section.number("unfinishedJobs", Limits.unfinished_jobs, 1, 1_000_000),
        writes_per_second=section.number("writesPerSecond", Limits.writes_per_second, 1, 10_000),
    )
    section.end()
    return limits


def _timing(section: _Section) -> Timing:
    timing = Timing(
        debounce_milliseconds=section.number("debounceMilliseconds", Timing.debounce_milliseconds, 0, 60_000),
        status_seconds=section.number("statusSeconds", Timing.status_seconds, 0, 3600),
        resync_seconds=section.number("resyncSeconds", Timing.resync_seconds, 1, 86_400),
        outcome_grace_seconds=section.number("outcomeGraceSeconds", Timing.outcome_grace_seconds, 0, 3600),
        sensors_grace_seconds=section.number("sensorsGraceSeconds", Timing.sensors_grace_seconds, 0, 86_400),
        stream_stale_seconds=section.number("streamStaleSeconds", Timing.stream_stale_seconds, 60, 86_400),
    )
    section.end()
    return timing


def _one(section: _Section, key: str, default: int, low: int, high: int) -> int:
    value = section.number(key, default, low, high)
    section.end()
    return value


class _Section:
    """One mapping of the file: takes its keys one by one, and at the end refuses what nobody took."""

    def __init__(self, data: object, path: str) -> None:
        """`path` is how the user finds the mapping in the file."""
        if not isinstance(data, dict):
            raise SettingsError(f"{path} is {_kind(data)}; wanted a mapping of keys to values")
        self.data: dict[Any, Any] = data
        self.path = path
        self._taken: set[str] = set()

    def _take(self, key: str) -> Any:
        self._taken.add(key)
        return self.data.get(key)

    def _refuse(self, key: str, value: object, wanted: str) -> SettingsError:
        found = "missing" if value is None else f"{value!r}"
        return SettingsError(f"{self.path}.{key} is {found}; wanted {wanted}")

    def text(self, key: str, default: str | None = None, wanted: str = r"\S.*", words: str = "a text") -> str:
        """A text that matches `wanted`, which `words` describes; required when it has no default."""
        value = self._take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not re.fullmatch(wanted, value):
            raise self._refuse(key, value, words)
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._refuse(key, value, "true or false")
        return value

    def number(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self._take(key)
        if value is None:
            return default
        if type(value) is not int or not low <= value <= high:
            raise self._refuse(key, value, f"a whole number from {low} to {high}")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts, empty when missing."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._refuse(key, value, "a list of texts")
        return value

    def objects(self, key: str) -> list[dict[str, Any]]:
        """A list of mappings, empty when missing."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._refuse(key, value, "a list of mappings")
        return value

    def mapping(self, key: str) -> dict[str, str]:
        """Texts by text; numbers count as texts here, as in `cpu: 1`."""
        inner = self.section(key)
        for name, value in inner.data.items():
            if (
                not isinstance(name, str)
                or isinstance(value, bool)
                or not isinstance(value, str | int | float)
            ):
                raise SettingsError(f"{inner.path}.{name} is {value!r}; wanted a text")
        return {name: str(value) for name, value in inner.data.items()}

    def section(self, key: str) -> _Section:
        """A mapping within, empty when missing."""
        value = self._take(key)
        return _Section({} if value is None else value, f"{self.path}.{key}")

    def named(self, key: str, build: Callable[[str, _Section], T]) -> dict[str, T]:
        """A mapping of names to mappings; none at all is the state right after an installation."""
        inner = self.section(key)
        return {
            str(name): build(str(name), _Section(value, f"{inner.path}.{name}"))
            for name, value in inner.data.items()
        }

    def end(self) -> None:
        """Refuse keys that nobody took."""
        for key in self.data:
            if key not in self._taken:
                raise SettingsError(
                    f"{self.path}.{key} is not known; wanted one of {', '.join(sorted(self._taken))}"
                )


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else f"{value!r}"
