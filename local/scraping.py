"""What a Prometheus is told: whom to scrape, which rules to evaluate, whom to tell of alerts.

Debian's build of Prometheus cannot ask Kubernetes for targets. So the Services that carry the annotations of
Prometheus' usual configuration for Kubernetes are looked up here, or their pods, and written into a file
that it watches.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

JOB = "sensorscore"
_ANNOTATION = "prometheus.io/"

Json = dict[str, Any]


def listed(file: Path) -> Json:
    """Scrape what `annotated` has found, as it stands in a file.

    `honor_labels`, as in that configuration: a run's metrics say themselves which namespace they are about,
    and that is not the operator's own.
    """
    return {"job_name": JOB, "honor_labels": True, "file_sd_configs": [{"files": [str(file)]}]}


def annotated(services: Iterable[Json], slices: Iterable[Json] = ()) -> list[Json]:
    """Targets: all Services with the annotation `prometheus.io/scrape: "true"`.

    One of a single pod at its own address, which stays the same whatever becomes of the pod behind it. Of
    one with several pods, by its EndpointSlices, each pod at its: behind the Service's address one of them
    would answer, and the next time another, as if it were the same.
    """
    return [
        {
            "targets": targets,
            "labels": {
                "__metrics_path__": annotations.get(f"{_ANNOTATION}path", "/metrics"),
                "namespace": service["metadata"]["namespace"],
                "service": service["metadata"]["name"],
            },
        }
        for slices in (list(slices),)
        for service in services
        if (annotations := service["metadata"].get("annotations", {})).get(f"{_ANNOTATION}scrape") == "true"
        for pods in (_pods(service["metadata"], slices),)
        for targets in (pods if len(pods) > 1 else [_own(service)],)
    ]


def _own(service: Json) -> str:
    return f"{service['spec']['clusterIP']}:{service['spec']['ports'][0]['port']}"


def _pods(named: Json, slices: Iterable[Json]) -> list[str]:
    """Addresses of the pods behind a Service, ready or not: what is wrong with one its metrics may say."""
    return sorted(
        f"{address}:{part['ports'][0]['port']}"
        for part in slices
        if part["metadata"]["namespace"] == named["namespace"]
        and part["metadata"].get("labels", {}).get("kubernetes.io/service-name") == named["name"]
        for endpoint in part.get("endpoints") or ()
        for address in endpoint["addresses"]
    )


def static(targets: Sequence[str]) -> Json:
    """Scrape these, each HOST:PORT, under the same job's name."""
    return {"job_name": JOB, "honor_labels": True, "static_configs": [{"targets": list(targets)}]}


def prometheus(scrape: Mapping[str, Any], rules: Sequence[Path], alertmanager: str, every: str) -> Json:
    """Prometheus' configuration: `rules` are files or globs, `alertmanager` is HOST:PORT or empty."""
    config: Json = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [dict(scrape)],
    }
    if alertmanager:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return config


def alertmanager() -> Json:
    """Alertmanager's configuration: it tells nobody; its API shows what it would tell of."""
    route = {"receiver": "nobody", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"}
    return {"route": route, "receivers": [{"name": "nobody"}]}
