"""Axes: every combination once, in no memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.albums import axes
from lucid.albums.axes import Axis, Value
from lucid.errors import UsageError


@given(st.lists(st.integers(1, 5), max_size=4))
def test_every_combination_comes_once_and_the_last_axis_changes_first(sizes: list[int]) -> None:
    found = [
        Axis(str(number), [Value(str(each), {str(number): each}) for each in range(size)])
        for number, size in enumerate(sizes)
    ]
    labels = [[value.label for value in chosen] for chosen in axes.combinations(found)]
    assert labels == sorted(labels)
    assert len({*map(tuple, labels)}) == axes.count(found) == len(labels)


def test_a_thousand_million_seeds_take_no_memory() -> None:
    seeds = axes.numbers("seed", "0-999999999")
    assert len(seeds) == 10**9
    assert seeds[999_999_999].options == {"seed": 999_999_999}
    chosen = next(axes.combinations([Axis("seed", seeds), Axis("iters", seeds)]))
    assert [value.label for value in chosen] == ["0", "0"]


def test_numbers_and_ranges_are_read_in_their_order() -> None:
    assert [value.label for value in axes.numbers("seed", "7, 0-2")] == ["7", "0", "1", "2"]


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-", "-1", "1.5", "1,,2"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"seed = .* is no list of whole numbers"):
        axes.numbers("seed", text)


def test_texts_are_parted_at_semicolons_or_commas() -> None:
    assert axes.split(".3,1, 3") == [".3", "1", "3"]
    assert axes.split("8:1,2;9") == ["8:1,2", "9"]
    assert axes.split(["a,b"]) == ["a,b"]
    assert axes.split(3) == [3]


def test_patterns_are_looked_for_beside_the_description_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    for name in ("there/a.jpg", "there/b.jpg", "c.jpg", "odd[1].png"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert axes.files("base", ["*.jpg"], Path("there")) == ["there/a.jpg", "there/b.jpg"]
    assert axes.files("base", ["c.*", "odd[1].png"], Path("there")) == ["c.jpg", "odd[1].png"]
    with pytest.raises(UsageError, match=r"base = '\*.gif': no file fits"):
        axes.files("base", ["*.gif"], Path("there"))
