"""The administrator's settings: one YAML file, typed; a mistake is refused by its key's path.

What a run may name (stores, runtimes) is listed here and only here: who may create a ScoringRun thereby does
not choose image, identity, nodes or storage account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from scoring_operator.mounts import (
    STORE_FOLDER,
    Mounts,
    SecretFile,
    SecretKey,
    StoreVolume,
    runtime_mounts,
    secret_file,
    store_volume,
)
from scoring_operator.sections import Section, SettingsError
from scoring_operator.sinks import Sink, sink

__all__ = ["Settings", "SettingsError", "load", "parse"]


_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


@dataclass(frozen=True)
class Store:
    """A place for models, readings and predictions, and who may use it."""

    name: str
    url: str  # azure://ACCOUNT/CONTAINER/optional/prefix; required, but of a volume
    endpoint: str = ""  # only where the account is not at its Azure address: Azurite, private clouds
    allow_http: bool = False  # plain HTTP gives readings away to the network: only for a local Azurite
    connection_string_secret: SecretKey | None = None  # none: workload identity or managed identity
    connection_string_file: SecretFile | None = None  # the same, mounted rather than in the environment
    volume: StoreVolume | None = None  # the store is a volume, and `url` the folder that it is mounted at
    workload_identity: bool = False  # labels the pods for Azure's webhook
    service_account_name: str = "default"  # the pods' identity, in the run's namespace
    namespaces: frozenset[str] = frozenset()  # who may use it; empty: every watched namespace

    def offered_to(self, namespace: str) -> bool:
        """Whether runs of `namespace` may name this store."""
        return not self.namespaces or namespace in self.namespaces


# Variables that begin so steer the pod itself: where it signs in and so sends its identity's token, what is
# loaded into its process.
STEERING = "AZURE_|IDENTITY_|MSI_|LD_|PYTHON|KUBERNETES_|SENSORSCORE_|SSL_|HTTP_|HTTPS_|ALL_|NO_"


@dataclass(frozen=True)
class Bounds:
    """What a run's template may ask of a runtime's pods."""

    # most of each resource; of one that is not here: the runtime's own limit, or else request
    resources: Mapping[str, str] = field(default_factory=dict)
    env_prefix: str = ""  # of variables that a run may set; empty: none
    priority_classes: frozenset[str] = frozenset()  # empty: none; a high priority would evict others' pods
    # keys of labels and annotations that a run may set, or domains with their /; empty: none. A label may
    # make a pod one of a Service's, or exempt it from a policy; an annotation may tell an injector which
    # image to add
    label_keys: frozenset[str] = frozenset()
    annotation_keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class NodeCost:
    """What a node takes beside its pods' time, where a pool goes to zero between runs: for an estimate."""

    pods: int = 30  # that one node holds at once: of 4 CPUs, with 100m each
    boot_seconds: int = 240  # from being asked for to its first pod: 3 to 7 minutes are reported of AKS
    idle_seconds: int = 600  # until an empty node is taken away: cluster-autoscaler's default
    hour_price: Decimal = Decimal(0)


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
    affinity: Mapping[str, Any] = field(default_factory=dict)
    topology_spread: tuple[Mapping[str, Any], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)  # of pods; ours stand over them
    annotations: Mapping[str, str] = field(default_factory=dict)
    priority_class: str = ""  # unless the run names one that it may
    mounts: Mounts = field(default_factory=Mounts)
    namespaces: frozenset[str] = frozenset()  # who may use it; empty: every watched namespace
    template: Bounds = Bounds()
    cpu_hour_price: Decimal = Decimal(0)  # of a requested CPU for an hour, in `currency`
    node: NodeCost | None = None  # none: what its nodes take besides is not estimated

    def offered_to(self, namespace: str) -> bool:
        """Whether runs of `namespace` may name this runtime."""
        return not self.namespaces or namespace in self.namespaces


# A manifest over 100,000 sensors and a file of their anomalies are made in memory; few of these pods run at
# once.
STAGE_RESOURCES: Mapping[str, Mapping[str, str]] = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"memory": "1Gi"},
}


@dataclass(frozen=True)
class Stages:
    """Where the small Jobs run that publish: outside the scoring pool, which can then be empty."""

    resources: Mapping[str, Any] = field(default_factory=lambda: STAGE_RESOURCES)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    priority_class: str = ""


@dataclass(frozen=True)
class Limits:
    """What the operator allows itself, to stay a good neighbour in the cluster."""

    # over all runs: about what the Job controller and a scheduler carry without lag
    unfinished_jobs: int = 2000
    unfinished_jobs_per_namespace: int = 2000  # one team's runs need not take all of that
    # above the Job controller's own pace, below API fairness limits; see `ratelimit` for what waits
    writes_per_second: int = 50
    # how often a chunk's pods may be taken away (drained, reclaimed, lost nodes) before it is given up: each
    # costs up to an attempt's time, and what comes and goes that fast does not get better by waiting
    disruptions_per_chunk: int = 10


@dataclass(frozen=True)
class ScheduleSettings:
    """A schedule that somebody else makes runs for: so that its metrics are there before its first run."""

    name: str  # its runs' label sensorscore.dev/schedule; unique in its namespace
    namespace: str
    window_seconds: int = 3600
    settle_seconds: int = 0  # how long after a window's end its run is made
    suspended: bool = False
    start_from: datetime | None = None  # before it no window is this schedule's; None: it has begun


@dataclass(frozen=True)
class LeaseSettings:
    """The Lease that lets one operator act at a time."""

    namespace: str = ""  # the operator's own; empty: no Lease is held, for an operator outside a cluster
    name: str = "sensorscore-operator"  # of all operators that watch the same namespaces
    duration_seconds: int = 15  # how long a holder that is gone without a word keeps others waiting


@dataclass(frozen=True)
class Http:
    """Where /metrics, /healthz and /readyz are served."""

    port: int = 8080  # unprivileged; 0 takes a free one, for tests


@dataclass(frozen=True)
class Timing:
    """How patient the operator is. Seconds, but for the debounce. Shortened in tests only."""

    debounce_milliseconds: int = 200  # between two looks at a run: bundles the events of many pods
    # between two status writes of a run; three times that with little to tell. Meanwhile outcomes are only in
    # memory, and their Jobs may be deleted: what a restart then loses is scored again.
    status_seconds: int = 1
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
    stages: Stages = Stages()
    currency: str = ""  # of prices, such as EUR; empty: no run's cost is told in money
    budget_per_day: Decimal = Decimal(0)  # of all runs, in `currency`; 0: none. More raises an alert only
    limits: Limits = Limits()
    schedules: tuple[ScheduleSettings, ...] = ()
    known_namespaces: tuple[str, ...] = ()  # where runs are expected: their counters begin at 0 before a run
    lease: LeaseSettings = LeaseSettings()
    http: Http = Http()
    timing: Timing = Timing()
    sinks: Mapping[str, Sink] = field(default_factory=dict)


def load(path: Path) -> Settings:
    """Read the file; raises `SettingsError`."""
    try:
        return parse(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"settings file {path} cannot be read: {error}") from None


def parse(data: object) -> Settings:
    """Settings from what YAML gave; raises `SettingsError`."""
    top = Section({} if data is None else data, "settings")
    settings = Settings(
        stores=top.named("stores", _store),
        runtimes=top.named("runtimes", _runtime),
        namespaces=tuple(top.texts("namespaces")),
        stages=_stages(top.section("stages")),
        currency=top.text("currency", "", wanted="([A-Z]{3})?", words="three letters such as EUR"),
        budget_per_day=top.decimal("budgetPerDay"),
        limits=_limits(top.section("limits")),
        schedules=_schedules(top),
        known_namespaces=tuple(top.texts("knownNamespaces")),
        lease=_lease(top.section("lease")),
        http=Http(port=_one(top.section("http"), "port", Http.port, 0, 65535)),
        timing=_timing(top.section("timing")),
        sinks=top.named("sinks", _sink),
    )
    top.end()
    if settings.budget_per_day and not settings.currency:
        raise SettingsError("settings.currency is missing; wanted that of budgetPerDay")
    for name, runtime in settings.runtimes.items():
        priced = runtime.cpu_hour_price or (runtime.node and runtime.node.hour_price)
        if priced and not settings.currency:
            raise SettingsError(f"settings.currency is missing; wanted that of runtimes.{name}'s prices")
    return settings


_AZURE_ONLY = (
    "url",
    "endpoint",
    "allowHttp",
    "connectionStringSecret",
    "connectionStringFile",
    "workloadIdentity",
)


def _store(name: str, section: Section) -> Store:
    secret = section.section("connectionStringSecret")
    has_secret = bool(secret.data)
    volume = store_volume(section.section("volume"))
    of_azure = sorted({*_AZURE_ONLY} & section.data.keys())
    if volume and of_azure:
        raise SettingsError(f"{section.path}.{of_azure[0]} is there; wanted no such key beside volume")
    store = Store(
        name=name,
        url=f"file://{STORE_FOLDER}"
        if volume
        else section.text("url", wanted=r"azure://[a-z0-9]+/[^\s]+", words="azure://ACCOUNT/CONTAINER"),
        endpoint=section.text(
            "endpoint", "", wanted=r"(https?://[^\s]+)?", words="an http:// or https:// address"
        ),
        allow_http=section.flag("allowHttp", default=False),
        connection_string_secret=SecretKey(secret.text("name"), secret.text("key", "connection-string"))
        if has_secret
        else None,
        connection_string_file=secret_file(section.section("connectionStringFile")),
        volume=volume,
        workload_identity=section.flag("workloadIdentity", default=False),
        service_account_name=section.text("serviceAccountName", Store.service_account_name),
        namespaces=frozenset(section.texts("namespaces")),
    )
    secret.end()
    section.end()
    return store


def _runtime(name: str, section: Section) -> Runtime:
    runtime = Runtime(
        name=name,
        image=section.text("image"),
        image_pull_policy=section.text(
            "imagePullPolicy",
            Runtime.image_pull_policy,
            wanted="Always|IfNotPresent|Never",
            words="Always, IfNotPresent or Never",
        ),
        resources=_resources(section.section("resources")),
        node_selector=section.mapping("nodeSelector"),
        tolerations=tuple(section.objects("tolerations")),
        env=section.mapping("env"),
        affinity=section.section("affinity").data,
        topology_spread=tuple(section.objects("topologySpreadConstraints")),
        labels=section.mapping("podLabels"),
        annotations=section.mapping("podAnnotations"),
        priority_class=section.text(
            "priorityClassName", "", wanted=r"(\S+)?", words="a PriorityClass's name"
        ),
        mounts=runtime_mounts(section),
        namespaces=frozenset(section.texts("namespaces")),
        template=_bounds(section.section("template")),
        cpu_hour_price=section.decimal("cpuHourPrice"),
        node=_node(section.section("node")),
    )
    section.end()
    return runtime


def _sink(name: str, section: Section) -> Sink:
    if not re.fullmatch(_LABEL, name):
        raise SettingsError(f"{section.path}: wanted a name of lower-case letters, digits and -")
    return sink(name, section)


def _node(section: Section) -> NodeCost | None:
    if not section.data:
        return None
    node = NodeCost(
        pods=section.number("pods", NodeCost.pods, 1, 10_000),
        boot_seconds=section.number("bootSeconds", NodeCost.boot_seconds, 0, 86_400),
        idle_seconds=section.number("idleSeconds", NodeCost.idle_seconds, 0, 86_400),
        hour_price=section.decimal("hourPrice"),
    )
    section.end()
    return node


def _bounds(section: Section) -> Bounds:
    bounds = Bounds(
        resources=section.quantities("maxResources"),
        env_prefix=section.text(
            "envPrefix",
            "",
            wanted=rf"((?!{STEERING})[A-Z][A-Z0-9_]*_)?",
            words="capitals, digits and _, ending with _, and nothing that logins, loader or Python read",
        ),
        label_keys=section.keys("labelKeys"),
        annotation_keys=section.keys("annotationKeys"),
        priority_classes=frozenset(section.texts("priorityClassNames")),
    )
    section.end()
    return bounds


def _stages(section: Section) -> Stages:
    stages = Stages(
        resources=_resources(section.section("resources")) or STAGE_RESOURCES,
        node_selector=section.mapping("nodeSelector"),
        tolerations=tuple(section.objects("tolerations")),
        priority_class=section.text(
            "priorityClassName", "", wanted=r"(\S+)?", words="a PriorityClass's name"
        ),
    )
    section.end()
    return stages


def _resources(section: Section) -> Mapping[str, Mapping[str, str]]:
    resources = {kind: texts for kind in ("requests", "limits") if (texts := section.mapping(kind))}
    section.end()
    return resources


def _limits(section: Section) -> Limits:
    limits = Limits(
        unfinished_jobs=section.number("unfinishedJobs", Limits.unfinished_jobs, 1, 1_000_000),
        unfinished_jobs_per_namespace=section.number(
            "unfinishedJobsPerNamespace", Limits.unfinished_jobs_per_namespace, 1, 1_000_000
        ),
        writes_per_second=section.number("writesPerSecond", Limits.writes_per_second, 1, 10_000),
        disruptions_per_chunk=section.number("disruptionsPerChunk", Limits.disruptions_per_chunk, 0, 1000),
    )
    section.end()
    return limits


def _schedules(top: Section) -> tuple[ScheduleSettings, ...]:
    found: dict[tuple[str, str], ScheduleSettings] = {}
    for index, data in enumerate(top.objects("schedules")):
        section = Section(data, f"{top.path}.schedules[{index}]")
        schedule = ScheduleSettings(
            name=section.text("name", wanted=_LABEL, words="lower-case letters, digits and -"),
            namespace=section.text("namespace", wanted=_LABEL, words="a namespace's name"),
            window_seconds=section.number("windowSeconds", ScheduleSettings.window_seconds, 1, 31_622_400),
            settle_seconds=section.number("settleSeconds", ScheduleSettings.settle_seconds, 0, 31_622_400),
            suspended=section.flag("suspended", default=False),
            start_from=section.time("startFrom"),
        )
        section.end()
        if found.setdefault((schedule.namespace, schedule.name), schedule) is not schedule:
            raise SettingsError(
                f"{section.path}.name is {schedule.name!r} again; wanted each name once in "
                f"namespace {schedule.namespace}"
            )
    return tuple(found.values())


def _lease(section: Section) -> LeaseSettings:
    lease = LeaseSettings(
        namespace=section.text("namespace", "", wanted=r"([a-z0-9-]+)?", words="a namespace's name"),
        name=section.text("name", LeaseSettings.name),
        duration_seconds=section.number("durationSeconds", LeaseSettings.duration_seconds, 1, 600),
    )
    section.end()
    return lease


def _timing(section: Section) -> Timing:
    timing = Timing(
        debounce_milliseconds=section.number("debounceMilliseconds", Timing.debounce_milliseconds, 0, 60_000),
        status_seconds=section.number("statusSeconds", Timing.status_seconds, 0, 15),
        resync_seconds=section.number("resyncSeconds", Timing.resync_seconds, 1, 86_400),
        outcome_grace_seconds=section.number("outcomeGraceSeconds", Timing.outcome_grace_seconds, 0, 3600),
        sensors_grace_seconds=section.number("sensorsGraceSeconds", Timing.sensors_grace_seconds, 0, 86_400),
        stream_stale_seconds=section.number("streamStaleSeconds", Timing.stream_stale_seconds, 60, 86_400),
    )
    section.end()
    return timing


def _one(section: Section, key: str, default: int, low: int, high: int) -> int:
    value = section.number(key, default, low, high)
    section.end()
    return value
