"""The drawings of docs/tiles.md, of a tiny net and picture."""

from __future__ import annotations

import numpy as np
import pytest
import tile_figures
import torch
from click.testing import CliRunner
from conftest import CLASS_NAMES, CLASSIFIER, write_net
from PIL import Image, ImageColor

from lucid.tiling.tiles import Tiling


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The program's three pictures, by name."""
    folder = tmp_path_factory.mktemp("figures")
    net = str(write_net(folder, CLASSIFIER, names=CLASS_NAMES))
    words = [str(folder), "--net", net, "--class", "goldfish", "--iters", "1"]
    size = ["--size", "112x80", "--tile-size", "32"]
    result = CliRunner().invoke(tile_figures.main, [*words, *size], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return {
        path.stem: np.asarray(Image.open(path).convert("RGB"), np.int16)
        for path in folder.glob("tiles-*.png")
    }


def share_of(colour: str, picture: np.ndarray) -> float:
    """Of a picture's pixels, how many are of a colour, or look like it."""
    off = np.abs(picture - np.array(ImageColor.getrgb(colour))).max(-1)
    return float((off < 12).mean())


@pytest.mark.slow
def test_pictures_are_written_and_none_is_empty(drawn: dict[str, np.ndarray]) -> None:
    assert sorted(drawn) == ["tiles-octaves", "tiles-spiral", "tiles-weights"]
    for picture in drawn.values():
        assert 1300 < picture.shape[1] < 1500
        assert picture.reshape(-1, 3).std(0).min() > 20
        assert share_of(tile_figures.WHITE, picture) < 0.7


@pytest.mark.slow
def test_each_ring_has_its_colour(drawn: dict[str, np.ndarray]) -> None:
    rings = Tiling((32, 32)).cut((80, 112), torch.Generator().manual_seed(4)).batches
    assert len(rings) > 2
    for colour in tile_figures.RING_COLOURS[: len(rings)]:
        assert share_of(colour, drawn["tiles-spiral"]) > 0.001


@pytest.mark.slow
def test_weights_are_hot_where_they_are_large(drawn: dict[str, np.ndarray]) -> None:
    ends = np.asarray(tile_figures.heat_map(torch.tensor([[0.0, 1.0]])))[0]
    none, whole = (ImageColor.getrgb(tile_figures.HEAT_COLOURS[index]) for index in (0, -1))
    assert [tuple(end) for end in ends.tolist()] == [none, whole]
    for colour in (tile_figures.HEAT_COLOURS[0], tile_figures.HEAT_COLOURS[-1]):
        assert share_of(colour, drawn["tiles-weights"]) > 0.1


def test_past_its_edge_a_picture_is_its_own_mirror(photo: torch.Tensor) -> None:
    sweep = Tiling((16, 16)).cut((40, 56), torch.Generator().manual_seed(4))
    poster, corner = tile_figures.poster(sweep, photo)
    edge = -corner.left
    assert edge > 4
    grey = np.asarray(poster.convert("L"), float)[-corner.top : 40 - corner.top]
    inside, outside = grey[:, edge + 1 : 2 * edge], grey[:, 1:edge][:, ::-1]
    assert np.corrcoef(inside.ravel(), outside.ravel())[0, 1] > 0.9
    assert outside.mean() > inside.mean() + 20, "and paler"
