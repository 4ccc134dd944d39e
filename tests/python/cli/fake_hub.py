"""A small Hugging Face hub on this computer, slow enough to be left in the middle of a download.

    python tests/python/cli/fake_hub.py FOLDER PORT

serves a checkpoint folder as acme/tiny and prints the address. `POST /hold` lets downloads of
weights wait in the middle, `POST /release` lets them go on.
"""

import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = "acme/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(ThreadingHTTPServer):
    """Answers what `huggingface_hub` asks, for one model.

    `refusal` is None, or a status and the hub's error code for all files. `held_at` is how many
    bytes of the weights are sent before `go` is awaited. `requests` keeps what was asked, as
    method, path, and the headers in lower case.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        self.refusal: tuple[int, str] | None = None
        self.held_at = 3 << 20
        self.go = threading.Event()
        self.go.set()
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """Clients that go away in the middle are what this is for."""

    def asked(self, method: str, name: str) -> Iterable[dict[str, str]]:
        """The headers of every request for a file."""
        for asked, path, headers in self.requests:
            if asked == method and path.endswith(f"/{name}"):
                yield headers


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeHub

    def log_message(self, *_):
        pass

    def do_POST(self):
        if self.path == "/hold":
            self.server.go.clear()
        else:
            self.server.go.set()
        self._send_json({})

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.command, path, headers))
        if re.fullmatch(rf"/api/models/{MODEL}(/revision/[^/]+)?", path):
            siblings = [{"rfilename": name, **self._about(name)} for name in self.server.files]
            self._send_json({"id": MODEL, "sha": COMMIT, "private": False, "siblings": siblings})
        elif path.startswith(f"/api/models/{MODEL}/tree/"):
            files = [{"type": "file", "path": it, **self._about(it)} for it in self.server.files]
            self._send_json(files)
        elif path.startswith(f"/{MODEL}/resolve/") and self.server.refusal:
            status, code = self.server.refusal
            self._send_json({"error": code}, status, {"X-Error-Code": code})
        elif path.startswith(f"/{MODEL}/resolve/"):
            self._send_file(path.rpartition("/")[2])
        else:
            self._send_json({"error": "no such thing"}, 404, {"X-Error-Code": "RepoNotFound"})

    def _about(self, name):
        content = self.server.files[name]
        blob = hashlib.sha1(content).hexdigest()
        about = {"size": len(content), "oid": blob, "blobId": blob}
        if name.endswith(".safetensors"):
            sha256 = hashlib.sha256(content).hexdigest()
            lfs = {"sha256": sha256, "oid": sha256, "size": len(content), "pointerSize": 134}
            about["lfs"] = lfs
        return about

    def _send_json(self, value, status=200, headers=()):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in dict(headers).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, name):
        content, about = self.server.files[name], self._about(name)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        etag = about["lfs"]["sha256"] if "lfs" in about else about["blobId"]
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        first = max(start, self.server.held_at) if "lfs" in about else len(content)
        self.wfile.write(content[start:first])
        self.wfile.flush()
        self.server.go.wait()
        self.wfile.write(content[first:])


if __name__ == "__main__":
    hub = FakeHub(Path(sys.argv[1]), int(sys.argv[2]))
    print(hub.url, flush=True)
    hub.serve_forever()
