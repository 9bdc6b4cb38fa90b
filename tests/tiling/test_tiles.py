from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid.errors import UsageError
from lucid.tiling.tiles import ORDERS, Pass, Tile, Tiling, rings

sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))
tilings = st.builds(
    Tiling,
    tile=st.tuples(st.integers(8, 24), st.integers(8, 24)),
    order=st.sampled_from(list(ORDERS)),
    overlap=st.floats(0, 0.9),
    padding=st.sampled_from(["reflect", "wrap", "mean"]),
)
seeds = st.integers(0, 2**32)


def cut(tiling: Tiling, size: tuple[int, int], seed: int) -> Pass:
    return tiling.cut(size, torch.Generator().manual_seed(seed))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(tilings, sizes, seeds)
def test_every_pixel_is_covered_and_what_is_cut_is_put_back(
    tiling: Tiling, size: tuple[int, int], seed: int
) -> None:
    tile_pass = cut(tiling, size, seed)
    image = torch.rand(3, *size)
    pieces = [view.scatter(view.gather(image)) for view in tile_pass.views()]
    assert (tile_pass.weights(image) > 0).all()
    torch.testing.assert_close(sum(pieces), image, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(tilings, sizes, seeds)
def test_blending_weights_sum_to_one(tiling: Tiling, size: tuple[int, int], seed: int) -> None:
    tile_pass = cut(tiling, size, seed)
    total = sum(
        view.scatter(torch.ones(len(view.batch), 1, *tile_pass.tile)) for view in tile_pass.views()
    )
    torch.testing.assert_close(total, torch.ones(1, *size), atol=1e-4, rtol=1e-4)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9))
def test_a_spiral_goes_ring_by_ring_and_round_each(height: int, width: int) -> None:
    batches = rings(list(range(height)), list(range(width)))
    assert sorted(tile for batch in batches for tile in batch) == [
        Tile(i, j) for i in range(height) for j in range(width)
    ]

    def distance(tile: Tile) -> float:
        return max(abs(tile.top - (height - 1) / 2), abs(tile.left - (width - 1) / 2))

    for inner, outer in itertools.pairwise(batches):
        assert max(map(distance, inner)) < min(map(distance, outer))
    for batch in batches:
        angles = [
            math.atan2(tile.top - (height - 1) / 2, tile.left - (width - 1) / 2) for tile in batch
        ]
        assert angles == sorted(angles)


@given(st.integers(2, 6), st.integers(0, 5))
def test_neighbours_on_a_square_ring_touch(half: int, ring: int) -> None:
    batches = rings(list(range(2 * half + 1)), list(range(2 * half + 1)))
    batch = batches[min(ring, half)]
    for here, there in itertools.pairwise(batch):
        assert max(abs(here.top - there.top), abs(here.left - there.left)) == 1


@settings(deadline=None)
@given(sizes, seeds)
def test_other_orders_climb_all_tiles_from_one_canvas(size: tuple[int, int], seed: int) -> None:
    for order in ("grid", "random", "none"):
        assert len(cut(Tiling((8, 8), order), size, seed).batches) == 1


def test_the_lattice_moves_every_pass() -> None:
    generator = torch.Generator().manual_seed(0)
    tiling = Tiling((16, 16))
    firsts = {tiling.cut((64, 64), generator).batches[0][0] for _ in range(20)}
    assert len(firsts) > 10


def test_a_change_in_the_first_ring_reaches_the_second() -> None:
    tile_pass = cut(Tiling((16, 16)), (64, 64), 0)
    first, second, *_ = tile_pass.views()
    image = torch.rand(3, 64, 64)
    before = second.gather(image)
    image = image + first.scatter(torch.ones(len(first.batch), 3, 16, 16))
    changed = (second.gather(image) != before).flatten(1).any(1)
    assert changed.all(), "each tile of the second ring overlaps the first"


def test_a_picture_no_larger_than_a_tile_is_its_middle() -> None:
    tile_pass = cut(Tiling((16, 16)), (10, 16), 0)
    assert tile_pass.batches == [[Tile(-3, 0)]]


def test_reflection_wrap_and_mean_fill_what_lies_outside() -> None:
    image = torch.arange(4.0).view(1, 1, 4).expand(1, 2, 4)
    tile = [[Tile(0, -2)]]

    def row(padding: str) -> list[float]:
        return Pass((2, 4), (2, 8), tile, padding).views()[0].gather(image)[0, 0, 0].tolist()

    assert row("reflect") == [2, 1, 0, 1, 2, 3, 2, 1]
    assert row("wrap") == [2, 3, 0, 1, 2, 3, 0, 1]
    assert row("mean") == [1.5, 1.5, 0, 1, 2, 3, 1.5, 1.5]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"order": "zigzag"}, "tiles 'zigzag' are not one of spiral"),
        ({"padding": "zero"}, "padding 'zero' is not one of reflect"),
        ({"overlap": 1.0}, "overlap 1.0 must be from 0 to under 1"),
        ({"tile": (4, 4)}, "tiles of 4 pixels"),
    ],
)
def test_settings_that_make_no_sense(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Tiling(**{"tile": (16, 16), **setting})
