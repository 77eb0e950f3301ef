"""Fetching, converting and carrying weights: from a server of the test, and without sockets."""

from __future__ import annotations

import hashlib
import io
import pickle
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nital.errors import ModelError, UsageError
from nital.models import download as download_module
from nital.models import load_model, store
from nital.models.catalogue import Entry, Source
from nital.models.download import download

CONTENT = bytes(range(256)) * 500


class Server(BaseHTTPRequestHandler):
    """Serves one content, by ranges; ``cut`` breaks the first answers off."""

    content: ClassVar[bytes] = CONTENT
    cut: ClassVar[int] = 0
    asked: ClassVar[list[str]] = []
    tag: ClassVar[str] = hashlib.sha256(CONTENT).hexdigest()

    def do_GET(self) -> None:
        if self.path.startswith("/hub/"):
            self.send_response(302)
            self.send_header("Location", "/files/x")
            self.send_header("X-Linked-Etag", f'"{self.tag}"')
            self.end_headers()
            return
        if self.path == "/nothing":
            self.send_error(404)
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        Server.asked.append(self.headers.get("Range", "all"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        part = self.content[start:]
        if Server.cut:
            part, Server.cut = part[: Server.cut], 0
        self.wfile.write(part)

    def log_message(self, *words: Any) -> None:
        """Be quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    Server.cut, Server.asked = 0, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NITAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NITAL_OFFLINE", raising=False)
    return tmp_path / "cache" / "models"


def no_sockets(*_: Any, **__: Any) -> Any:
    raise AssertionError("a socket was opened")


class TestDownload:
    def test_a_file_and_its_hash(self, address: str, tmp_path: Path) -> None:
        steps: list[tuple[str, int, int]] = []
        found = download(
            Source("w", f"{address}/files/x"), tmp_path, lambda *step: steps.append(step)
        )
        assert (tmp_path / "w").read_bytes() == CONTENT
        assert found == hashlib.sha256(CONTENT).hexdigest()
        assert steps[-1] == ("w", len(CONTENT), len(CONTENT))

    def test_a_broken_connection_is_resumed(self, address: str, tmp_path: Path) -> None:
        Server.cut = 1000
        with pytest.raises(ModelError, match="connection broke"):
            download(Source("w", f"{address}/files/x"), tmp_path)
        assert (tmp_path / ".w.part").stat().st_size == 1000
        download(Source("w", f"{address}/files/x"), tmp_path)
        assert Server.asked == ["all", "bytes=1000-"]
        assert (tmp_path / "w").read_bytes() == CONTENT
        assert not (tmp_path / ".w.part").exists()

    def test_the_hash_that_the_hub_states_counts(
        self, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        download(Source("w", f"{address}/hub/w"), tmp_path)
        monkeypatch.setattr(Server, "tag", "0" * 64)
        with pytest.raises(ModelError, match="instead of 000000000000"):
            download(Source("v", f"{address}/hub/w"), tmp_path)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["w"]

    def test_another_file_than_expected_is_thrown_away(self, address: str, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="thrown away"):
            download(Source("w", f"{address}/files/x", 0, "f" * 64), tmp_path)
        assert not list(tmp_path.iterdir())

    def test_no_such_file(self, address: str, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="answers 404"):
            download(Source("w", f"{address}/nothing"), tmp_path)

    def test_no_room(self, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(download_module, "SPARE", 10**18)
        with pytest.raises(ModelError, match=r"no room for w .* set NITAL_CACHE"):
            download(Source("w", f"{address}/files/x"), tmp_path)
        assert not list(tmp_path.iterdir())

    def test_no_server(self, tmp_path: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(ModelError, match="cannot be reached"):
            download(Source("w", f"http://127.0.0.1:{port}/w"), tmp_path)


def known(monkeypatch: pytest.MonkeyPatch, *sources: Source) -> None:
    monkeypatch.setitem(store.CATALOGUE, "toy", Entry("toy", "Toy", "MIT", sources))


class TestStore:
    def test_fetch_once_then_bundle_and_carry(
        self,
        address: str,
        cache: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        known(monkeypatch, Source("a", f"{address}/files/a"), Source("b", f"{address}/hub/b"))
        folder = store.fetch("toy", convert=no_sockets)
        assert sorted(p.name for p in folder.iterdir()) == ["a", "b", "manifest.json"]
        monkeypatch.setattr(socket, "socket", no_sockets)
        assert store.fetch("toy", convert=no_sockets) == folder
        store.check(folder)
        store.bundle(["toy"], tmp_path / "toy.tar")
        monkeypatch.setenv("NITAL_CACHE", str(tmp_path / "elsewhere"))
        store.unbundle(tmp_path / "toy.tar", ["toy"])
        there = store.fetch("toy", convert=no_sockets, offline=True)
        assert (there / "a").read_bytes() == CONTENT
        (there / "b").write_bytes(b"other")
        assert store.damaged_files(there) == ["b"]
        with pytest.raises(ModelError, match="b is damaged"):
            store.check(there)

    def test_offline_opens_no_socket(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        known(monkeypatch, Source("a", "http://127.0.0.1:1/a"))
        monkeypatch.setattr(socket, "socket", no_sockets)
        with pytest.raises(ModelError, match="nital models fetch toy"):
            store.fetch("toy", convert=no_sockets, offline=True)
        monkeypatch.setenv("NITAL_OFFLINE", "1")
        with pytest.raises(ModelError, match="the network is forbidden"):
            store.fetch("toy", convert=no_sockets)
        assert not cache.exists()

    def test_a_damaged_bundle_leaves_the_cache_clean(
        self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known(monkeypatch, Source("a", "http://127.0.0.1:1/a"))
        (tmp_path / "b.tar").write_bytes(b"no archive")
        with pytest.raises(ModelError, match="cannot be read as a bundle"):
            store.unbundle(tmp_path / "b.tar", ["toy"])
        assert not list(cache.glob("*"))

    def test_a_bundle_that_is_cut_off_or_finds_no_room(
        self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known(monkeypatch, Source("a", "http://127.0.0.1:1/a"))
        (cache / "toy").mkdir(parents=True)
        (cache / "toy" / "a").write_bytes(bytes(100_000))
        store.seal(cache / "toy", {"name": "toy"})
        whole, cut = tmp_path / "whole.tar", tmp_path / "cut.tar"
        store.bundle(["toy"], whole)
        cut.write_bytes(whole.read_bytes()[:50_000])
        with pytest.raises(ModelError, match=r"cut\.tar: cannot be read as a bundle"):
            store.unbundle(cut, ["toy"])
        assert [path.name for path in cache.glob("*")] == ["toy"]
        (tmp_path / "full").write_bytes(b"a file where the cache should be")
        monkeypatch.setenv("NITAL_CACHE", str(tmp_path / "full"))
        with pytest.raises(ModelError, match=r"cannot be written .*; free some space, or set"):
            store.unbundle(whole, ["toy"])

    def test_an_unknown_name(self, cache: Path) -> None:
        with pytest.raises(UsageError, match="nital models list"):
            store.fetch("sam-vit-x", convert=no_sockets)


class TestCheckpoints:
    def test_code_in_a_pickle_is_refused(self, cache: Path, tmp_path: Path) -> None:
        pytest.importorskip("torch")

        class Evil:
            def __reduce__(self) -> tuple[Any, ...]:
                return (Path.touch, (tmp_path / "executed",))

        (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
        with pytest.raises(ModelError, match="holds code"):
            load_model(str(tmp_path / "evil.pth"))
        assert not (tmp_path / "executed").exists()
        assert not [p for p in cache.glob("*") if p.is_dir()]

    def test_a_checkpoint_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"sam_vit_b\.pth does not exist"):
            load_model(str(tmp_path / "sam_vit_b.pth"))

    def test_cut_off_and_foreign_checkpoints(self, cache: Path, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        stream = io.BytesIO()
        torch.save({"layer.weight": torch.zeros(3000)}, stream)
        (tmp_path / "foreign.pth").write_bytes(stream.getvalue())
        (tmp_path / "cut.pth").write_bytes(stream.getvalue()[:5000])
        with pytest.raises(ModelError, match="no checkpoint of segment_anything"):
            load_model(str(tmp_path / "foreign.pth"))
        with pytest.raises(ModelError, match="cut off or damaged"):
            load_model(str(tmp_path / "cut.pth"))
        assert not [p for p in cache.glob("*") if p.is_dir()]
