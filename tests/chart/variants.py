"""Values of all kinds for the general tests: each switch is on in one of them, or off in another."""

from __future__ import annotations

from typing import Any

Values = dict[str, Any]

AZURITE = {
    "url": "azure://devstoreaccount1/sensorscore",
    "endpoint": "http://10.89.0.2:10000/devstoreaccount1",
    "allowHttp": True,
    "connectionStringSecret": {"name": "storage", "key": "connection-string"},
}
IDENTITY = {"url": "azure://account/container/prefix", "workloadIdentity": True}
VOLUME = {"volume": {"persistentVolumeClaim": {"claimName": "readings"}, "path": "team-a/scoring"}}
SPREAD = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
WEIGHTS = {"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}
INGEST = {
    "enabled": True,
    "hub": {"name": "readings", "namespace": "plant.servicebus.windows.net", "workloadIdentity": True},
    "store": "default",
    "mapping": {"sensor": "device-{Device}-tag-{Tag}", "values": "Value", "time": "TS", "over": ["Device"]},
    "window": {"size": "5s"},
    "columns": {"value": "avg"},
}
# Every key of ingest's settings file, and every choice about its pods.
INGEST_WHOLE = {
    "enabled": True,
    "namespace": "a",
    "image": {"repository": "registry.example.com/ingest", "digest": "sha256:" + "1" * 64},
    "replicas": 3,
    "hub": {
        "name": "readings",
        "consumerGroup": "sensorscore",
        "start": "2026-01-01T12:00:00Z",
        "connectionStringSecret": {"name": "hub", "key": "connection-string"},
    },
    "store": "vault",
    "mapping": {
        "sensor": "{Device}/{$.plant}",
        "values": {"heat": "payload.t", "pressure": "payload.p"},
        "time": "TS",
        "timeForm": "Milliseconds",
        "over": ["Device"],
        "records": "readings",
        "unit": {"field": "U", "conversions": {"C": {}, "F": {"factor": 0.5556, "add": -17.78}}},
        "format": "JSON",
        "delimiter": ";",
    },
    "window": {"size": "1m", "offset": "-1ms"},
    "columns": {"low": "min(heat)", "high": "max(pressure)"},
    "ordering": {
        "by": "Event",
        "lateArrival": "1h",
        "onLateArrival": "Correct",
        "outOfOrder": "8s",
        "onOutOfOrder": "Drop",
        "earlyArrival": None,
        "idleAfter": "5m",
    },
    "maxSensors": 1_000_000,
    "corrections": {"horizon": "3d", "every": "1h"},
    "landing": {
        "format": "CSV",
        "layout": "Sharded",
        "path": "landed/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.csv",
        "shardRows": 50_000_000,
    },
    "deadLetters": "",
    "raw": {
        "path": "raw/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}",
        "every": "1m",
        "bytes": "10MiB",
    },
    "folder": "kept/ingest",
    "rates": {
        **{"commit": "20s", "land": "6s", "monitor": "30s", "stall": "4m", "allowance": "0s"},
        **{"balance": "20s", "expire": "1m", "claim": "2m", "batch": 1_000, "prefetch": 10_000},
    },
    "serviceAccount": {"name": "landing", "annotations": {"a": "b"}},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "topologySpreadConstraints": [SPREAD],
    "priorityClassName": "streams",
    "podLabels": {"team": "a"},
    "podAnnotations": {"note": "a"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraVolumes": [{"name": "certificates", "configMap": {"name": "certificates"}}],
    "extraVolumeMounts": [{"name": "certificates", "mountPath": "/etc/ssl/company"}],
}
MONITORED = {
    "apiGroup": "monitoring.coreos.com",
    "renderMode": "alwaysRender",
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "kps"},
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "process_.*"}],
    },
    "rules": {
        "enabled": True,
        "labels": {"release": "kps"},
        "alertLabels": {"team": "data"},
        "runbookBaseUrl": "https://example.com/",
    },
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "Sensorscore"}, "namespace": "grafana"},
    "grafanaUrl": "https://grafana.example.com",
}

VARIANTS: dict[str, Values] = {
    "defaults": {},
    "azurite": {"scoringNamespaces": ["demo"], "stores": {"default": AZURITE}},
    "namespaced": {"watchNamespaces": ["a", "b"], "stores": {"default": IDENTITY}},
    "bare": {
        "crds": {"enabled": False},
        "rbac": {"create": False, "aggregate": False},
        "serviceAccount": {"create": False, "name": "mine"},
        "scorer": {"serviceAccount": {"create": False}},
        "metrics": {"service": {"enabled": False}},
        "networkPolicy": {"enabled": False},
    },
    "everything": {
        "fullnameOverride": "scoring",
        "commonLabels": {"cost-centre": "42"},
        "image": {"digest": "sha256:" + "0" * 64, "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "registry"}],
        "watchNamespaces": ["a"],
        "currency": "EUR",
        "budgetPerDay": "25.00",
        "scorer": {
            "serviceAccount": {"annotations": {"azure.workload.identity/client-id": "id"}},
            "priorityClass": {"create": True},
        },
        "stores": {
            "default": AZURITE,
            "second": {**IDENTITY, "namespaces": ["a"]},
            "plant": VOLUME,
            "vault": {
                "url": "azure://account/container",
                "connectionStringFile": {"secretProviderClass": "storage", "file": "connection-string"},
            },
        },
        "runtimes": {
            "default": {
                "affinity": {"nodeAffinity": {}},
                "topologySpreadConstraints": [SPREAD],
                "podLabels": {"team": "a"},
                "podAnnotations": {"note": "a"},
                "volumes": [WEIGHTS],
                "volumeMounts": [{"name": "weights", "mountPath": "/weights"}],
                "template": {"labelKeys": ["team", "example.com/"], "annotationKeys": ["note"]},
            }
        },
        "serviceAccount": {"annotations": {"a": "b"}},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [SPREAD],
        "priorityClassName": "system-cluster-critical",
        "podLabels": {"team": "a"},
        "podAnnotations": {"note": "a"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraVolumes": [{"name": "certificates", "configMap": {"name": "certificates"}}],
        "extraVolumeMounts": [{"name": "certificates", "mountPath": "/etc/ssl/company"}],
        "monitoring": MONITORED,
        "networkPolicy": {
            "apiServer": {"cidrs": ["10.0.0.1/32"], "ports": [443]},
            "storage": {"cidrs": ["20.0.0.0/8"]},
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}],
            "extraEgress": {
                "operator": [{"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"port": 3128}]}],
                "scoring": [{"to": [{"podSelector": {}}]}],
                "scheduler": [{"to": [{"ipBlock": {"cidr": "10.1.2.4/32"}}]}],
            },
        },
    },
    "scheduled": {
        "stores": {"default": IDENTITY},
        "schedules": {"hourly": {"namespace": "c", "run": {"sensors": {"names": ["a"]}}}},
    },
    "ingest": {"stores": {"default": IDENTITY}, "ingest": INGEST},
    "ingest whole": {
        "watchNamespaces": ["a"],
        "imagePullSecrets": [{"name": "registry"}],
        "commonLabels": {"cost-centre": "42"},
        "stores": {
            "vault": {
                "url": "azure://account/container",
                "connectionStringFile": {"secretProviderClass": "storage", "file": "connection-string"},
                "namespaces": ["a"],
            }
        },
        "ingest": INGEST_WHOLE,
        "monitoring": {"renderMode": "alwaysRender", "podMonitor": {"enabled": True}},
    },
    "pod monitor": {"monitoring": {"renderMode": "alwaysRender", "podMonitor": {"enabled": True}}},
    "azure monitor": {
        "monitoring": {
            "apiGroup": "azmonitoring.coreos.com",
            "renderMode": "alwaysRender",
            "serviceMonitor": {"enabled": True},
        }
    },
    "azure pod monitor": {
        "monitoring": {
            "apiGroup": "azmonitoring.coreos.com",
            "renderMode": "alwaysRender",
            "podMonitor": {"enabled": True},
        }
    },
}
