"""The few calls that starting a cluster makes on its API server, with nothing but the standard library."""

import base64
import http.client
import json
import ssl
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from local.errors import LocalError

CONFLICT = 409


class ApiError(LocalError):
    """The API server refused: its status code and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the API server answered {status}: {message}")
        self.status = status


class Api:
    """One API server, as the user of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        address = urllib.parse.urlsplit(cluster["server"])
        self._host, self._port = address.hostname or "", address.port
        self.tls = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        self._headers = {"Accept": "application/json"}
        if "token" in user:
            self._headers["Authorization"] = f"Bearer {user['token']}"
            return
        with (
            tempfile.NamedTemporaryFile() as client
        ):  # the ssl module takes client certificates from files only
            for part in ("client-certificate-data", "client-key-data"):
                client.write(base64.b64decode(user[part]))
            client.flush()
            self.tls.load_cert_chain(client.name)

    def call(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Any:
        """One request: the decoded answer, ApiError when it is not 2xx, OSError when there is none."""
        connection = http.client.HTTPSConnection(self._host, self._port, context=self.tls, timeout=10)
        try:
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, path, payload, {"Content-Type": content_type, **self._headers})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        try:
            decoded = json.loads(text)
        except ValueError:
            decoded = text
        if answer.status >= http.client.MULTIPLE_CHOICES:
            message = decoded.get("message", text) if isinstance(decoded, dict) else text
            raise ApiError(answer.status, message)
        return decoded

    def create(self, path: str, body: object) -> None:
        """Create an object; one that exists already is left as it is."""
        try:
            self.call("POST", path, body)
        except ApiError as refused:
            if refused.status != CONFLICT:
                raise

    def answers(self, path: str) -> bool:
        """Whether a GET succeeds; False also while nobody listens."""
        try:
            self.call("GET", path)
        except (ApiError, OSError, http.client.HTTPException):
            return False
        return True


def wait_until(what: str, happened: Callable[[], bool], seconds: float, check: Callable[[], None]) -> None:
    """Poll until something has happened; LocalError when it takes too long.

    `check` is called on the way and raises as soon as there is nothing to wait for any more.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        check()
        if time.monotonic() > deadline:
            raise LocalError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)
