"""When a pod's outcome is there to be seen, and when the run's status tells it: watched from outside.

Both are taken by this process's clock from watches of its own, so that the operator's word is not needed. Of
pods only the metadata comes over the wire: the observer must not be what slows the machine.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import yaml

from local.api import Api
from scale.plane import PODS, RUNS
from scoring_operator.ranges import RangeSet

CHUNK = "sensorscore.dev/chunk"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class Observer:
    """While entered, watches pods that have succeeded, and one run's status."""

    def __init__(self, kubeconfig: Path, run: str) -> None:
        server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        self._address = urlsplit(server)
        self._tls = Api(kubeconfig).tls
        self._run = run
        self._stop = threading.Event()
        self._connections: list[http.client.HTTPSConnection] = []
        self._pods: dict[int, float] = {}
        self._recorded: dict[int, float] = {}
        self.status: dict[str, Any] = {}
        self.largest_status = 0
        self._threads = [
            threading.Thread(target=self._follow_pods, daemon=True),
            threading.Thread(target=self._follow_run, daemon=True),
        ]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; streams that are open are cut."""
        self._stop.set()
        for connection in self._connections:
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(2)
        for thread in self._threads:
            thread.join(10)

    def pods(self) -> int:
        """Pods that were seen to have succeeded."""
        return len(self._pods)

    def lags(self) -> list[float]:
        """Seconds from pod to status, of each chunk that both were seen of."""
        both = self._pods.keys() & self._recorded.keys()
        return [max(0.0, self._recorded[chunk] - self._pods[chunk]) for chunk in both]

    def p95(self) -> float:
        """Of the lags."""
        return statistics.quantiles(self.lags(), n=20)[-1]

    def _follow_pods(self) -> None:
        for event in self._events(PODS, {"fieldSelector": "status.phase=Succeeded"}, METADATA):
            chunk = event["object"]["metadata"].get("labels", {}).get(CHUNK)
            if chunk is not None and event["type"] == "ADDED":
                self._pods.setdefault(int(chunk), time.monotonic())

    def _follow_run(self) -> None:
        done = RangeSet()
        for event in self._events(RUNS, {"fieldSelector": f"metadata.name={self._run}"}, "application/json"):
            status = event["object"].get("status")
            if not status:
                continue
            self.status = status
            self.largest_status = max(self.largest_status, len(json.dumps(status, separators=(",", ":"))))
            now, before = time.monotonic(), done
            done = RangeSet.parse(status.get("recorded", {}).get("done", ""))
            for chunk in done:
                if chunk not in before:
                    self._recorded.setdefault(chunk, now)

    def _events(self, path: str, query: dict[str, str], accept: str) -> Iterator[dict[str, Any]]:
        while not self._stop.is_set():
            connection = http.client.HTTPSConnection(
                self._address.hostname or "", self._address.port, context=self._tls, timeout=600
            )
            self._connections.append(connection)
            try:
                asked = urlencode({**query, "watch": "true", "timeoutSeconds": "3000"})
                connection.request("GET", f"{path}?{asked}", headers={"Accept": accept})
                answer = connection.getresponse()
                while line := answer.readline():
                    yield json.loads(line)
            except (OSError, ValueError, http.client.HTTPException):
                if self._stop.is_set():
                    return
            finally:
                connection.close()
