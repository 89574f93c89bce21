"""A small hub on 127.0.0.1: the part of Hugging Face's protocol that pulling, pushing and listing use.

Repositories, revisions and large objects live in memory. A file above :data:`LARGE` bytes or of a binary kind is an LFS
object, as on the hub. ``cuts`` says how often the connection breaks in the middle of a file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = 4096
BINARY = (".h5", ".safetensors", ".png", ".bin")


def blob_of(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


@dataclass
class Repository:
    """Revisions, oldest first: hash → name → content."""

    kind: str
    revisions: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: bool = False
    card: dict[str, object] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return next(reversed(self.revisions))

    def commit(self, files: dict[str, bytes]) -> str:
        content = "".join(name + blob_of(data) for name, data in sorted(files.items()))
        revision = hashlib.sha1(f"{len(self.revisions)}{content}".encode()).hexdigest()
        self.revisions[revision] = files
        return revision


@dataclass
class Hub:
    """What the hub holds, and what it was asked for."""

    url: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    tampered: dict[str, bytes] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    refuses: bool = False
    fail_after: int | None = None

    def add(self, kind: str, name: str, files: dict[str, bytes], **card: object) -> str:
        repository = self.repositories.setdefault((kind, name), Repository(kind))
        repository.card |= card
        return repository.commit(files)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self._route("GET")

    def do_HEAD(self) -> None:
        self._route("HEAD")

    def do_POST(self) -> None:
        self._route("POST")

    def do_PUT(self) -> None:
        self._route("PUT")

    def _route(self, method: str) -> None:
        hub, url = self.hub, urlsplit(self.path)
        path = unquote(url.path)
        self.body = self._read_body()
        hub.requests.append(f"{method} {path}")
        if method in ("POST", "PUT") and hub.refuses:
            return self._json({"error": "Forbidden"}, 403)
        if found := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self._info(found[1], found[2], found[3])
        if found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(method, "datasets" if found[1] else "models", *found.groups()[1:])
        if path == "/api/models":
            return self._models(parse_qs(url.query))
        if path == "/api/repos/create":
            return self._create()
        if path == "/api/validate-yaml":
            return self._json({"warnings": [], "errors": []})
        if found := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/preupload/(.+)", path):
            return self._preupload(found[1], found[2])
        if re.fullmatch(r"/(datasets/)?[^/]+/[^/]+\.git/info/lfs/objects/batch", path):
            return self._batch()
        if found := re.fullmatch(r"/lfs/([0-9a-f]{64})", path):
            return self._receive(found[1])
        if found := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/commit/(.+)", path):
            return self._commit(found[1], found[2])
        return self._json({"error": f"no route for {path}"}, 404)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _json(self, content: object, status: int = 200, **headers: str) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _found(self, kind: str, name: str, revision: str | None) -> tuple[Repository, str] | None:
        repository = self.hub.repositories.get((kind, name))
        if repository is None:
            self._json({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            return None
        sha = repository.head if revision in (None, "main") else str(revision)
        if sha not in repository.revisions:
            self._json({"error": "Revision not found"}, 404, X_Error_Code="RevisionNotFound")
            return None
        return repository, sha

    def _info(self, kind: str, name: str, revision: str | None) -> None:
        if (found := self._found(kind, name, revision)) is None:
            return
        repository, sha = found
        siblings = []
        for path, data in repository.revisions[sha].items():
            entry: dict[str, object] = {"rfilename": path, "size": len(data), "blobId": blob_of(data)}
            if _is_large(path, data):
                entry["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 130}
            siblings.append(entry)
        self._json(
            {
                "_id": "0",
                "id": name,
                "sha": sha,
                "private": repository.private,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "cardData": repository.card,
                "siblings": siblings,
            }
        )

    def _file(self, method: str, kind: str, name: str, revision: str, path: str) -> None:
        if (found := self._found(kind, name, revision)) is None:
            return None
        repository, sha = found
        data = repository.revisions[sha].get(path)
        if data is None:
            return self._json({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
        etag = hashlib.sha256(data).hexdigest() if _is_large(path, data) else blob_of(data)
        data = self.hub.tampered.get(path, data)
        first = int(re.match(r"bytes=(\d+)-", self.headers.get("Range") or "bytes=0-")[1])
        self.send_response(206 if first else 200)
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", sha)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if method == "HEAD":
            return None
        self.hub.sent.append(f"{path}:{first}")
        if self.hub.cuts.get(path, 0) > 0:
            self.hub.cuts[path] -= 1
            self.wfile.write(data[first : len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            return None
        self.wfile.write(data[first:])
        return None

    def _models(self, asked: dict[str, list[str]]) -> None:
        author = asked.get("author", [""])[0]
        names = [name for kind, name in self.hub.repositories if kind == "models" and name.startswith(f"{author}/")]
        self._json(
            [{"_id": "0", "id": name, "private": False, "downloads": 0, "likes": 0, "tags": []} for name in names]
        )

    def _create(self) -> None:
        asked = json.loads(self.body)
        kind = {"dataset": "datasets"}.get(asked.get("type"), "models")
        name = f"{asked.get('organization')}/{asked['name']}"
        repository = Repository(
            kind, private=asked.get("visibility", "private" if asked.get("private") else "") == "private"
        )
        repository.commit({".gitattributes": b"*.h5 filter=lfs\n"})
        self.hub.repositories[kind, name] = repository
        self._json({"url": f"{self.hub.url}/{'datasets/' if kind == 'datasets' else ''}{name}", "name": name})

    def _preupload(self, kind: str, name: str) -> None:
        present = self.hub.repositories[kind, name]
        files = []
        for each in json.loads(self.body)["files"]:
            large = each["size"] > LARGE or each["path"].endswith(BINARY)
            data = present.revisions[present.head].get(each["path"])
            oid = None if data is None else (hashlib.sha256(data).hexdigest() if large else blob_of(data))
            files.append(
                {"path": each["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}
            )
        self._json({"files": files})

    def _batch(self) -> None:
        objects = []
        for each in json.loads(self.body)["objects"]:
            entry = {"oid": each["oid"], "size": each["size"], "authenticated": True}
            if each["oid"] not in self.hub.objects:
                entry["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{each['oid']}", "header": {}}}
            objects.append(entry)
        self._json({"transfer": "basic", "objects": objects})

    def _receive(self, oid: str) -> None:
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.hub.objects[oid] = self.body
        self.hub.sent.append(oid)
        self._json({})

    def _commit(self, kind: str, name: str) -> None:
        if self.hub.fail_after is not None:
            if self.hub.fail_after == 0:
                return self._json({"error": "Forbidden"}, 403)
            self.hub.fail_after -= 1
        repository = self.hub.repositories[kind, name]
        files = dict(repository.revisions[repository.head])
        for line in self.body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        sha = repository.commit(files)
        prefix = "datasets/" if kind == "datasets" else ""
        return self._json({"commitUrl": f"{self.hub.url}/{prefix}{name}/commit/{sha}", "commitOid": sha})


def _is_large(path: str, data: bytes) -> bool:
    return len(data) > LARGE or path.endswith(BINARY)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers while the block runs."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
