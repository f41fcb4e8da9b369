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
