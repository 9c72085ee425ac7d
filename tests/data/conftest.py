"""A web server on this machine that knows ranges, and fails as it is told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from posetables.data import downloads


@dataclass
class Site:
    """What the server serves, how it fails, and what it was asked."""

    root: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    failures: dict[str, list[int]] = field(default_factory=dict)
    """Path -> one entry a request: an HTTP status, or minus the number of bytes after which the line drops."""
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"{self.root}/{path}"


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, wanted = self.path.lstrip("/"), self.headers["Range"]
            site.asked.append((path, wanted))
            failure = next(iter(site.failures.get(path, [])), None)
            if failure is not None:
                site.failures[path].pop(0)
            if path not in site.files or (failure or 0) > 0:
                self.send_error(failure or 404)
                return
            self.answer(site.files[path], wanted if site.ranges else None, -failure if failure is not None else None)

        def answer(self, content: bytes, wanted: str | None, drop_after: int | None) -> None:
            match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
            start = int(match[1]) if match else 0
            if match and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if match else 200)
            if match:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:][:drop_after])

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # So that the short files of tests come in many chunks, as long ones do.
    monkeypatch.setattr(downloads, "CHUNK", 100)
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(site))
    site.root = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()
