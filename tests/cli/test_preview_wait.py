"""`preview wait` asks this machine by itself, whatever proxy the environment names."""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any

import pytest
from lockgate.cli.preview import _asked


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"release": "sha256:" + "ab" * 32, "host": self.headers["Host"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.mark.parametrize("name", ["my-branch.localhost", "localhost", "127.0.0.1"])
def test_loopback_knows_no_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        release, said = _asked(f"http://{name}:{server.server_address[1]}")
        server.shutdown()
    assert release == "sha256:" + "ab" * 32, said
