"""A model hub on this machine that answers as the real one does, as far as huggingface_hub asks: what a model holds, and its files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = ".safetensors"  # what is kept apart, under its sha256


@dataclass
class FakeHub:
    """Has one model. ``breaks_at``: bytes after which a large file ends without its rest, as often as ``breaks`` says."""

    server: HTTPServer
    repository: str
    files: Mapping[str, bytes]
    breaks_at: int = 0
    breaks: int = 0
    denied: str = ""  # "gated" or "missing"
    asked: list[tuple[str, str]] = field(default_factory=list)  # (file, Range)
    named: dict[str, str] = field(default_factory=dict)  # hashes that it tells in place of the true ones

    def __post_init__(self) -> None:
        self.server.expect_request(f"/api/models/{self.repository}/revision/main").respond_with_handler(self._tell)
        self.server.expect_request(f"/api/models/{self.repository}/revision/{COMMIT}").respond_with_handler(self._tell)
        for name in self.files:
            self.server.expect_request(f"/{self.repository}/resolve/{COMMIT}/{name}").respond_with_handler(self._file)

    def hash_of(self, name: str) -> str:
        data = self.files[name]
        true = hashlib.sha256(data) if name.endswith(LARGE) else hashlib.sha1(b"blob %d\0" % len(data) + data)
        return self.named.get(name, true.hexdigest())

    def _tell(self, request: Request) -> Response:
        if self.denied == "gated":
            return Response("", 403, {"X-Error-Code": "GatedRepo"})
        if self.denied == "missing":
            return Response("", 401, {"X-Error-Code": "RepoNotFound"})
        siblings = [
            {"rfilename": name, "size": len(data), "blobId": self.hash_of(name) if not name.endswith(LARGE) else "0" * 40}
            | ({"lfs": {"sha256": self.hash_of(name), "size": len(data), "pointerSize": 130}} if name.endswith(LARGE) else {})
            for name, data in self.files.items()
        ]
        answer = {"id": self.repository, "modelId": self.repository, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
        return Response(json.dumps(answer), mimetype="application/json")

    def _file(self, request: Request) -> Response:
        name = request.path.rpartition("/")[2]
        data = self.files[name]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{self.hash_of(name)}"', "Accept-Ranges": "bytes"}
        if request.method == "HEAD":
            return Response(data, headers=headers)
        asked = request.headers.get("Range", "")
        self.asked.append((name, asked))
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        rest = data[start:]
        if name.endswith(LARGE) and self.breaks > 0:
            self.breaks -= 1
            rest = rest[: self.breaks_at]
        headers |= {"Content-Length": str(len(data) - start)}  # more than comes, if it breaks off
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return Response(iter([rest]), 206 if asked else 200, headers, direct_passthrough=True)


def published(folder: Path) -> dict[str, bytes]:
    """A model's files, as they would be put there."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
