"""The HTTP APIs of Prometheus and Alertmanager, as far as the demo and the tests ask them."""

import http.client
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.errors import LocalError

_SECONDS = 10
_CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class QueryError(LocalError):
    """Prometheus refused a query: what it was, and why."""


@dataclass(frozen=True)
class Sample:
    """One series' value at an instant."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Series:
    """One series over a while: (Unix time in seconds, value)."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Client:
    """A Prometheus at a base URL, such as http://127.0.0.1:9090."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """An expression at an instant (Unix time; None: now); a scalar is one sample without labels."""
        data = self.get("query", query=expression, **({} if at is None else {"time": str(at)}))
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(each["metric"], float(each["value"][1])) for each in data["result"]]

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """An expression every `step` seconds from `start` to `end` (Unix times)."""
        data = self.get("query_range", query=expression, start=str(start), end=str(end), step=str(step))
        return [
            Series(each["metric"], tuple((float(at), float(value)) for at, value in each["values"]))
            for each in data["result"]
        ]

    def rules(self) -> list[dict[str, Any]]:
        """All rules, each with its health, lastError and, where it alerts, state."""
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> list[dict[str, Any]]:
        """All that is scraped, each with labels, health and lastError."""
        found: list[dict[str, Any]] = self.get("targets", state="active")["activeTargets"]
        return found

    def get(self, what: str, **parameters: str) -> Any:
        """What `/api/v1/WHAT` answers; QueryError when it is refused, OSError when nobody answers."""
        status, text = ask(self.url, f"/api/v1/{what}?{urllib.parse.urlencode(parameters)}")
        try:
            answer = json.loads(text)
        except ValueError:
            raise QueryError(f"Prometheus answered {status}: {text[:200]}") from None
        if answer.get("status") != "success":
            asked = parameters.get("query", what)
            raise QueryError(f"Prometheus refused `{asked}`: {answer.get('error', status)}")
        return answer["data"]


def ask(url: str, path: str) -> tuple[int, str]:
    """GET of `path` below `url`, which may have a path itself: status and body.

    OSError when nobody answers; LocalError when the address is not one of http or https.
    """
    where = urllib.parse.urlsplit(url)
    if where.scheme not in _CONNECTIONS or not where.hostname:
        raise LocalError(f"{url}: not an address such as http://HOST:PORT or https://HOST/PATH")
    connection = _CONNECTIONS[where.scheme](where.netloc, timeout=_SECONDS)
    try:
        connection.request("GET", f"{where.path.rstrip('/')}{path}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except http.client.HTTPException as error:
        raise ConnectionError(f"{url}{path}: {error!r}") from error
    finally:
        connection.close()


def ready(url: str) -> bool:
    """Whether a Prometheus or an Alertmanager there says that it is ready."""
    try:
        status, _ = ask(url, "/-/ready")
    except OSError:
        return False
    return status == http.client.OK
