from pathlib import Path
from typing import Any

from local import scraping


def service(name: str, **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "system",
            "annotations": {f"prometheus.io/{key}": value for key, value in annotations.items()},
        },
        "spec": {"clusterIP": "10.96.0.7", "ports": [{"name": "http", "port": 8080}]},
    }


def test_services_are_found_by_their_annotations() -> None:
    services = [service("told", scrape="true", path="/m"), service("silent"), service("off", scrape="false")]
    services.append({"metadata": {"name": "bare", "namespace": "system"}, "spec": {}})
    assert scraping.annotated(services) == [
        {
            "targets": ["10.96.0.7:8080"],
            "labels": {"__metrics_path__": "/m", "namespace": "system", "service": "told"},
        }
    ]


def endpoints(of: str, namespace: str, *addresses: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "labels": {"kubernetes.io/service-name": of}},
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [
            {"addresses": [address], "conditions": {"ready": place > 0}}
            for place, address in enumerate(addresses)
        ],
    }


def test_of_several_pods_behind_a_service_each_is_a_target() -> None:
    services = [service("ingest", scrape="true"), service("operator", scrape="true")]
    slices = [
        endpoints("ingest", "system", "10.0.0.2", "10.0.0.1"),
        endpoints("ingest", "elsewhere", "10.0.0.9"),
        endpoints("ingest", "system", "10.0.0.3"),
        endpoints("operator", "system", "10.0.0.4"),
        {"metadata": {"namespace": "system"}, "endpoints": None},
    ]
    assert [each["targets"] for each in scraping.annotated(services, slices)] == [
        ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"],
        ["10.96.0.7:8080"],
    ]


def test_what_a_metric_says_of_its_namespace_is_kept() -> None:
    assert scraping.listed(Path("/targets.json"))["honor_labels"]
    assert scraping.static(["127.0.0.1:8080"])["honor_labels"]


def test_without_an_alertmanager_nobody_is_told() -> None:
    scrape = scraping.static(["127.0.0.1:8080"])
    assert "alerting" not in scraping.prometheus(scrape, [], "", "1s")
    told = scraping.prometheus(scrape, [Path("/rules/*.yaml")], "127.0.0.1:9093", "1s")
    assert told["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]
    assert told["rule_files"] == ["/rules/*.yaml"]
