"""Where the demo's anomalies go: keeps what is posted, and gives it back as JSON Lines."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8080
_got: list[dict[str, object]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Keeps it."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        _got.append(
            {"headers": {name.lower(): said for name, said in self.headers.items()}, "body": body.decode()}
        )
        self._answer(b"")

    def do_GET(self) -> None:
        """Gives all of it."""
        self._answer("".join(f"{json.dumps(each)}\n" for each in list(_got)).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


ThreadingHTTPServer(("", PORT), _Handler).serve_forever()
