"""Doubles, on loopback, of the endpoints that give a pod its tokens, and of Blob Storage that takes them.

They take and give what Microsoft documents for workload identity (OAuth client credentials with a federated
token) and for managed identity (IMDS, which writes numbers as text). That Azure itself does so is not shown.
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import json
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from local_server import LocalServer, Silent

IMDS = "/metadata/identity/oauth2/token"
CLIENT, TENANT = "11111111-aaaa", "22222222-bbbb"
FEDERATED = "federated-secret"
VARIABLES = (
    *("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"),
    *("AZURE_IDENTITY_ENDPOINT", "AZURE_MSI_ENDPOINT"),
)
"""What names an identity in the environment: a test has none but its own."""


class Azure(LocalServer):
    """Gives tokens `token-1`, `token-2`, … and takes those that are not withdrawn."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lifetime = 3600
        """Seconds that a token is good for, as its answer says."""
        self.refusals: list[tuple[int, str]] = []
        """Answers to the next requests for a token."""
        self.slow = 0
        """So many of the next requests for a token are not answered while this lives."""
        self.asked: list[dict[str, str]] = []
        self.authorizations: list[str] = []
        self._withdrawn = 0

    def withdraw(self) -> None:
        """The tokens given so far are good no more."""
        self._withdrawn = len(self.asked)

    def takes(self, authorization: str | None) -> bool:
        """Whether storage would take a request with this header."""
        good = range(self._withdrawn + 1, len(self.asked) + 1)
        return authorization in [f"Bearer token-{number}" for number in good]

    def workload(self, file: Path) -> dict[str, str]:
        """What the webhook of Azure Workload Identity gives a pod, its token in this file."""
        file.write_text(FEDERATED)
        return {
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_FEDERATED_TOKEN_FILE": str(file),
            "AZURE_AUTHORITY_HOST": self.url,
        }

    def managed(self) -> dict[str, str]:
        """A node's managed identity, its endpoint elsewhere than 169.254.169.254."""
        return {"AZURE_IDENTITY_ENDPOINT": self.url + IMDS}


class _Handler(Silent, BaseHTTPRequestHandler):
    server: Azure

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.token({"path": self.path, **dict(urllib.parse.parse_qsl(form))}, as_text=False)

    def do_GET(self) -> None:
        if self.path.startswith(IMDS):
            query = urllib.parse.urlsplit(self.path).query
            told = {"Metadata": self.headers["Metadata"], **dict(urllib.parse.parse_qsl(query))}
            self.token(told, as_text=True)
            return
        self.server.authorizations.append(self.headers.get("Authorization") or self.path)
        good = self.server.takes(self.headers.get("Authorization"))
        said = "" if good else "<Error><Code>InvalidAuthenticationInfo</Code></Error>"
        self.answer(200 if good else 401, "data" if good else said)

    def token(self, asked: dict[str, str], *, as_text: bool) -> None:
        if self.server.slow:
            self.server.slow -= 1
            self.server.closing.wait(60)
            return
        if self.server.refusals:
            self.answer(*self.server.refusals.pop(0))
            return
        self.server.asked.append(asked)
        lifetime = self.server.lifetime
        given: dict[str, Any] = {"token_type": "Bearer", "access_token": f"token-{len(self.server.asked)}"}
        if as_text:
            given |= {"expires_in": str(max(lifetime, 0)), "expires_on": str(int(time.time()) + lifetime)}
            given |= {"not_before": "0", "resource": asked.get("resource", ""), "client_id": CLIENT}
        else:
            given |= {"expires_in": lifetime, "ext_expires_in": lifetime}
        self.answer(200, json.dumps(given))

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("ETag", '"0x1"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 12:00:00 GMT")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())
