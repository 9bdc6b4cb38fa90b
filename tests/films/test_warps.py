from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from lucid.errors import LucidError, UsageError
from lucid.films import warp
from lucid.films.warp import RENAMED, WARPS, load, parse, usage
from lucid.imaging.filters import luma

EXAMPLES = [
    *("zoom:.1", "zoom:-.1", "stretch:.1", "stretch:0,.2", "rotate:10", "affine:1.1,.9"),
    *("affine:1,.1,0,1", "affine:1,0,3,0,1,-2", "translate:3", "translate:2.5,-1", "roll:n/4"),
    *("roll:15*sin(n/20)", "roll-rows:t", "random-roll:-3,3", "random-roll:0,n/5,4"),
    *("random-roll-rows:-2,5", "alternate:n", "sobel", "sobel:.5", "prewitt", "laplace"),
    *("blur:1.5", "unsharp:2", "unsharp:1,.5", "hue:30", "palette:.2", "posterize:4"),
    *("colors:0,1,0,0,0,1,1,0,0", "pixel-sort", "pixel-sort:.1,.9", "grid:3,2,10"),
    "grid:3,2,10,.1",
    *("kaleidoscope:6", "swirl:40", "swirl:40,.3", "ripple:4,20", "ripple:4,20,t/10"),
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_warp_keeps_the_size_and_changes_the_picture(text: str, photo: Tensor) -> None:
    changed = parse(text)(photo, 3, Generator().manual_seed(1))
    assert changed.shape == photo.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (changed - photo).abs().mean() > 1e-3
    again = parse(text)(photo, 3, Generator().manual_seed(1))
    assert torch.equal(changed, again)


def test_every_warp_has_an_example_and_a_docstring_of_one_line() -> None:
    assert {text.partition(":")[0] for text in EXAMPLES} == set(WARPS)
    for function in WARPS.values():
        first, *rest = (function.__doc__ or "").splitlines()
        assert first.endswith(".")
        assert not rest or not rest[0]


@pytest.mark.parametrize(
    "text",
    [
        *("zoom:0", "stretch:0,0", "rotate:0", "rotate:360", "affine:1,1", "translate:0", "roll:0"),
        *("roll:40", "roll-rows:56", "random-roll:0,0", "sobel:0", "hue:0", "hue:360"),
        *("palette:0", "posterize:256", "grid:4,3,0", "swirl:0", "ripple:0,9", "alternate:0"),
    ],
)
def test_a_warp_by_nothing_leaves_the_picture(text: str, photo: Tensor) -> None:
    torch.testing.assert_close(parse(text)(photo, 2, Generator()), photo, atol=2e-3, rtol=0)


def test_a_bright_pixel_moves_where_it_should() -> None:
    image = torch.zeros(3, 21, 21)
    image[:, 10, 14] = 1  # 4 pixels to the right of the middle

    def bright(text: str) -> tuple[int, int]:
        changed = parse(text)(image, 1, Generator())[0]
        row, column = divmod(int(changed.argmax()), 21)
        return column - 10, row - 10

    assert bright("zoom:1") == (8, 0)
    assert bright("stretch:1") == (8, 0)
    assert bright("stretch:0,1") == (4, 0)
    assert bright("rotate:90") == (0, 4)
    assert bright("translate:3,-2") == (7, -2)
    assert bright("affine:0,1,1,0") == (0, 4)
    assert bright("affine:1,0,3,0,1,5") == (7, 5)
    assert bright("roll:6") == (4, 6)
    assert bright("roll:n") == (4, 14 - 21)
    assert bright("roll-rows:5") == (9, 0)
    assert bright("roll-rows:n") == (14 - 21, 0)


def test_a_group_of_columns_may_be_wider_than_the_picture(photo: Tensor) -> None:
    assert parse("random-roll:3,3,1e300")(photo, 1, Generator()).equal(photo.roll(3, 1))


@pytest.mark.slow
@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9))
def test_random_rolls_stay_within_their_bounds(low: int, high: int, group: int) -> None:
    low, high = min(low, high), max(low, high)
    image = torch.zeros(3, 40, 30)
    image[:, 20] = 1
    rolled = parse(f"random-roll:{low},{high},{group}")(image, 1, Generator().manual_seed(low))
    moved = rolled[0].argmax(0) - 20
    assert low <= moved.min()
    assert moved.max() <= high
    for first in range(0, 30, group):
        assert len(set(moved[first : first + group].tolist())) == 1


def test_every_distance_of_a_random_roll_is_equally_likely() -> None:
    image = torch.zeros(3, 40, 6000)
    image[:, 20] = 1
    rolled = parse("random-roll:-1,2")(image, 1, Generator().manual_seed(0))
    counts = (rolled[0].argmax(0) - 20 + 1).bincount(minlength=4)
    assert len(counts) == 4
    assert counts.min() > 1300


def test_pixels_are_sorted_within_their_runs(photo: Tensor) -> None:
    sorted_ = parse("pixel-sort:0,1")(photo, 1, Generator())
    steps = luma(sorted_)[0].diff(dim=1)
    assert steps.min() > -1e-3
    torch.testing.assert_close(sorted_.sort(2).values, photo.sort(2).values)


def test_a_kaleidoscope_is_its_own_mirror_image() -> None:
    image = parse("kaleidoscope:4")(torch.rand(3, 41, 41), 1, Generator())
    torch.testing.assert_close(image, image.flip(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(image, image.flip(2), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zom:1", "zoom"),
        ("zoom", "zoom:FRACTION"),
        ("zoom:1,2", "zoom:FRACTION"),
        ("zoom:n", "'n'"),
        ("zoom:__import__('os')", "arithmetic"),
        ("zoom:-1", "nothing"),
        ("affine:1,2,3", "2, 4 or 6"),
        ("affine:0,0", "nothing"),
        ("colors:1", "9 numbers"),
        ("posterize:1", "2 to 256"),
        ("blur:0", "above 0"),
        ("kaleidoscope:0", "sectors"),
        ("grid:0,1,2", "columns"),
        ("", "there is no warp"),
    ],
)
def test_a_warp_that_makes_no_sense_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(text)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_name_of_version_0_1_means_the_same_warp(old: str, new: str) -> None:
    assert parse(f"{old}:.5,1") == parse(f"{new}:.5,1")
    with pytest.raises(UsageError, match=f"write {re.escape(usage(new))}"):
        parse(f"{old}:1,2,3")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's file; its warps are forgotten after the test."""
    monkeypatch.setattr(warp, "WARPS", WARPS.copy())
    return tmp_path / "own.py"


@pytest.mark.parametrize(
    "imports",
    [
        "from lucid import warp\nfrom lucid.films.warp import Profile",
        # As version 0.1 documented it, and what else reached the same module.
        "from lucid.warps import Profile, warp",
        "from lucid import warps\nfrom lucid.warps import Profile\nwarp = warps.warp",
        "from __future__ import annotations\nfrom lucid.warps import Profile, warp",
    ],
)
def test_a_users_file_adds_warps(imports: str, own: Path, photo: Tensor) -> None:
    own.write_text(
        f"{imports}\n\n@warp\n"
        "def darker(image, frame, generator, share: float):\n    return image * (1 - share)\n\n"
        "@warp\ndef bands(image, frame, generator, shade: Profile):\n"
        "    return image * shade(image.shape[2])\n"
    )
    load(own)
    torch.testing.assert_close(parse("darker:.25")(photo, 1, Generator()), photo * 0.75)
    banded = photo * (torch.arange(photo.shape[2]) % 2)
    torch.testing.assert_close(parse("bands:n%2")(photo, 1, Generator()), banded)


def test_a_users_warp_may_have_a_name_of_version_0_1(own: Path, photo: Tensor) -> None:
    own.write_text(
        "from lucid.films.warp import warp\n\n@warp\n"
        "def glide(image, frame, generator):\n    return image / 2\n"
    )
    load(own)
    torch.testing.assert_close(parse("glide")(photo, 1, Generator()), photo / 2)


@pytest.mark.parametrize(
    ("body", "said"), [("return nothing", "NameError"), ("return image[:, 1:]", "size")]
)
def test_a_users_warp_that_fails_is_refused(body: str, said: str, own: Path) -> None:
    own.write_text(
        "from lucid.films.warp import warp\n\n@warp\n"
        f"def broken(image, frame, generator):\n    {body}\n"
    )
    load(own)
    with pytest.raises(LucidError, match=said):
        parse("broken")


def test_a_users_warp_that_fails_late_is_named_with_its_line(own: Path, photo: Tensor) -> None:
    own.write_text(
        "from lucid.warps import warp\n@warp\ndef late(image, frame, generator):\n"
        "    return image if frame < 2 else image[:, : 10 // (2 - frame)]\n"
    )
    load(own)
    late = parse("late")
    assert late(photo, 1, Generator()).shape == photo.shape
    with pytest.raises(LucidError, match=r"line 4: the warp late fails before frame 2 .Zero"):
        late(photo, 2, Generator())
    with pytest.raises(LucidError, match="the warp late changes the picture's size at frame 3"):
        late(photo, 3, Generator())


def test_a_users_file_that_cannot_be_run_is_named(own: Path) -> None:
    own.write_text("1 / 0")
    with pytest.raises(LucidError, match=r"own\.py, line 1: ZeroDivisionError"):
        load(own)


def test_hue_keeps_greys_and_turns_red_to_green() -> None:
    colours = torch.tensor([[0.5, 1.0], [0.5, 0.0], [0.5, 0.0]])[:, None]
    turned = parse("hue:120")(colours, 1, Generator())
    torch.testing.assert_close(turned[:, 0, 0], torch.full((3,), 0.5))
    torch.testing.assert_close(turned[:, 0, 1], torch.tensor([0.0, 1.0, 0.0]), atol=1e-5, rtol=0)
    assert math.isclose(float(turned.sum()), 2.5, rel_tol=1e-4)
