"""A store holds whole files or none, whatever its storage does."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from lucid.albums import store as stores
from lucid.albums.store import Store, StoreError
from lucid.errors import UsageError


class UnsteadyFileSystem(DirFileSystem):  # type: ignore[misc]
    """A storage that fails one request in ten or so, before or after it was carried out."""

    protocol = "unsteady"
    requests = 0

    def _fail(self, *, every: int) -> None:
        UnsteadyFileSystem.requests += 1
        if UnsteadyFileSystem.requests % every == 0:
            raise ConnectionError("the server closed the connection")

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self._fail(every=10)
        super().pipe_file(path, value, **options)
        self._fail(every=11)

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        self._fail(every=10)
        super().put_file(lpath, rpath, **options)
        self._fail(every=11)

    def cat_file(self, path: str, **options: Any) -> Any:
        self._fail(every=13)
        return super().cat_file(path, **options)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix("unsteady://").rstrip("/")


@pytest.fixture
def unsteady(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store on a storage that fails now and then."""
    folder = tmp_path / "far"
    name = f"unsteady{uuid.uuid4().hex}"

    class Own(UnsteadyFileSystem):
        protocol = name

        def __init__(self, **options: Any) -> None:
            super().__init__(path=str(folder), fs=LocalFileSystem(auto_mkdir=True))

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return path.removeprefix(f"{name}://").rstrip("/")

    fsspec.register_implementation(name, Own)
    monkeypatch.setattr(stores, "FIRST_PAUSE", 0.001)
    return Store(f"{name}://album")


def test_a_folder_holds_whole_files(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "album")
    assert store.names("done") == []
    store.write("done/ab/x.json", b"one")
    store.write("done/ab/x.json", b"two")
    assert store.read("done/ab/x.json") == b"two"
    assert store.exists("done/ab/x.json")
    assert not store.exists("done/ab")
    assert store.names("done/ab") == ["x.json"]
    store.delete("done/ab/x.json")
    store.delete("done/ab/x.json")
    with pytest.raises(FileNotFoundError):
        store.read("done/ab/x.json")
    assert not [*(tmp_path / "new" / "album" / ".parts").iterdir()]


def test_a_storage_that_fails_now_and_then_gets_every_file(unsteady: Store, tmp_path: Path) -> None:
    for number in range(100):
        unsteady.write(f"done/{number}", str(number).encode())
        with unsteady.staging("x") as folder:
            (folder / "x").write_bytes(b"picture")
            unsteady.put(f"files/{number}", folder / "x")
    assert len(unsteady.names("done")) == len(unsteady.names("files")) == 100
    for number in range(100):
        assert unsteady.read(f"done/{number}") == str(number).encode()
        assert unsteady.read(f"files/{number}") == b"picture"


def test_a_storage_that_always_fails_is_named(unsteady: Store, monkeypatch: Any) -> None:
    def broken(self: Any, *args: Any, **options: Any) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(UnsteadyFileSystem, "pipe_file", broken)
    with pytest.raises(StoreError, match=r"album/done/1: cannot be .* \(no route to host\)"):
        unsteady.write("done/1", b"x")


def test_an_unknown_url_is_refused() -> None:
    with pytest.raises(UsageError, match=r"nowhere://album: is no storage .* Protocol not known"):
        Store("nowhere://album")


def test_a_full_disk_keeps_what_was_there(disk: Callable[[str], Path]) -> None:
    folder = disk("64k")
    store = Store(folder)
    store.write("done/1", b"first")
    with pytest.raises(StoreError, match="the disk is full: the same command goes on"):
        store.write("done/1", os.urandom(100_000))
    assert store.read("done/1") == b"first"
    assert store.names("done") == ["1"]
    assert not [*(folder / ".parts").iterdir()]


def test_a_password_is_not_shown() -> None:
    store = Store("memory://easel:secret@host/album")
    assert store.url == "memory://host/album"
    assert "secret" in store.address


def test_unfinished_files_of_dead_processes_are_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ended = subprocess.Popen(["true"])
    ended.wait()
    with store.staging("x") as mine:
        dead = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-"))
        dead.mkdir()
        (dead / "part").touch()
        store.sweep()
        assert mine.exists()
        assert not dead.exists()
