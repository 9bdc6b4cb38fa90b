"""Files that ship with lucid, and the cache folder."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from lucid import resources


def test_the_environment_names_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_CACHE", "somewhere/else")
    assert resources.cache_folder() == Path("somewhere/else")


def test_the_cache_folder_is_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LUCID_CACHE", raising=False)
    folder = resources.cache_folder()
    assert folder.name == "lucid"
    assert folder.parent == platformdirs.user_cache_path()
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "lucid")
    assert resources.cache_folder() == tmp_path / "lucid"


def test_bundled_files_exist() -> None:
    assert {"lucid64", "vgg-conv"} <= set(resources.bundled())
    assert {"deepdraw", "deepdream", "dreampy"} == set(resources.presets())
    assert all(path.is_file() for path in {**resources.bundled(), **resources.presets()}.values())
