"""The gallery's base pictures: all are there, none is flat, and they are the same each time."""

from __future__ import annotations

from pathlib import Path

import make_bases
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image


@pytest.mark.slow
def test_bases_are_painted_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        words = [str(tmp_path / folder), "--size", "96x64"]
        result = CliRunner().invoke(make_bases.main, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output

    painted = sorted((tmp_path / "one").iterdir())
    assert [path.stem for path in painted] == sorted(make_bases.BASES)
    for path in painted:
        with Image.open(path) as picture:
            assert picture.size == (96, 64)
            # Each of the bases has lights and darks, everywhere more than a shade.
            assert np.asarray(picture).std() > 20, path.stem
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.stem
