"""A drawing that is moved on, changed, copied and set back by hand."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

import lucid
from lucid.core.device import Runtime
from lucid.drawing.climb import Climb
from lucid.drawing.edits import Edit
from lucid.drawing.loop import draw, paint
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.targets import Target
from lucid.errors import UsageError
from lucid.imaging import recipes
from lucid.imaging.io import from_pil
from lucid.nets.net import Net
from lucid.tiling.octaves import resize
from lucid.tiling.regions import MaskRegion

CPU = Runtime(device="cpu", precision="fp32")
SMALL: dict[str, Any] = {
    **{"size": (48, 70), "tile_size": 32, "octave_count": 2, "iterations": 3, "seed": 3},
    "runtime": CPU,
}


def left_half(height: int = 48, width: int = 70) -> Tensor:
    mask = torch.zeros(height, width)
    mask[:, : width // 2] = 1
    return mask


def right_half() -> Tensor:
    return 1 - left_half()


def plan_of(net: Net, base: Tensor | None = None, **options: Any) -> Plan:
    return prepare(net, ["goldfish"], base, **{**SMALL, **options})


def base_of(climb: Climb) -> Tensor:
    assert climb.plan.base is not None
    return resize(climb.plan.base, climb.plan.size).clamp(0, 1)


def steps(climb: Climb, count: int) -> None:
    for _ in range(count):
        assert climb.step()


def whole_passes(climb: Climb, count: int) -> None:
    while climb.passes < count:
        assert climb.step()


def test_a_climb_ends_as_a_drawing(classifier: Net, photo: Tensor) -> None:
    for base in (None, photo):
        plan = plan_of(classifier, base)
        climb = Climb(plan)
        assert climb.moment == (0, 0)
        assert not climb.finished
        steps(climb, 1)
        assert climb.moment == (0, 1)  # of several rings
        finished = climb.finish()
        assert climb.finished
        assert not climb.step()
        assert climb.passes == 6
        assert finished.tobytes() == draw(classifier, ["goldfish"], base, **SMALL).tobytes()


def test_progress_is_shown_at_the_last_size(classifier: Net, photo: Tensor) -> None:
    climb = Climb(plan_of(classifier, photo, mask=left_half()))
    whole_passes(climb, 1)
    assert climb.progress().octave != (48, 70)
    picture = from_pil(climb.picture())
    assert picture.shape == (3, 48, 70)
    base = base_of(climb)
    # Where nothing may change, a small octave already shows the base with all of its detail.
    assert (picture - base)[:, :, 36:].abs().max() <= 1 / 255
    assert (picture - base)[:, :, :30].abs().max() > 5 / 255


def test_a_snapshot_brings_back_every_byte(classifier: Net) -> None:
    for moved in (0, 1, 5, 9):
        climb = Climb(plan_of(classifier))
        steps(climb, moved)
        snapshot = climb.snapshot()
        first = climb.finish().tobytes()
        for _ in range(2):
            climb.restore(snapshot)
            assert not climb.finished
            assert climb.finish().tobytes() == first
    assert snapshot.nbytes > 3 * 4 * 3 * 48 * 70  # the coefficients and two moments of each
    assert snapshot.nbytes < 10 * 4 * 3 * 80 * 102


def test_a_fork_leaves_the_first_alone(classifier: Net) -> None:
    climb = Climb(plan_of(classifier))
    alone = Climb(plan_of(classifier)).finish()
    whole_passes(climb, 2)
    other = climb.fork(seed=9)
    forked = other.finish()
    assert climb.moment == (2, 0)
    assert climb.finish().tobytes() == alone.tobytes()
    assert forked.tobytes() != alone.tobytes()
    again = draw(classifier, ["goldfish"], **SMALL, at={2: {"seed": 9}})
    assert again.tobytes() == forked.tobytes()


EDITS: list[Edit] = [
    {"targets": "tench"},
    {"targets": ["tench", lucid.LayerL2("0")]},
    {"strength": 0.3},
    {"mask": left_half()},
    {"mask": "top"},
    {"mask": None},
    {"padding": "wrap"},
    {"iterations": 5},
    {"seed": 8},
    {"erase": right_half()},
    {"targets": [Target(lucid.LayerL2("0"), MaskRegion(left_half()))], "strength": 2.0},
]


@settings(max_examples=12)
@given(
    chosen=st.lists(st.tuples(st.integers(0, 14), st.sampled_from(EDITS)), min_size=1, max_size=4),
    on_photo=st.booleans(),
    stop=st.integers(0, 20),
)
def test_edits_are_made_again_to_the_byte(
    chosen: list[tuple[int, Edit]], on_photo: bool, stop: int
) -> None:
    net: Net = lucid.load("lucid64")
    options = {**SMALL, "size": (40, 56), "iterations": 2}
    base = torch.linspace(0.1, 0.9, 40)[None, :, None].expand(3, 40, 56) if on_photo else None
    climb = Climb(prepare(net, ["lion"], base, **options))
    swapped = {"tench": "monarch"}
    done = 0
    for when, edit in sorted(chosen, key=lambda pair: pair[0]):
        while done < when and climb.step():
            done += 1
        mine: Any = dict(edit)
        if isinstance(mine.get("targets"), str):
            mine["targets"] = swapped[mine["targets"]]
        elif "targets" in mine:
            mine["targets"] = [
                lucid.Channel("2", 3) if each == "tench" else each for each in mine["targets"]
            ]
        climb.edit(**mine)
    for _ in range(stop):
        climb.step()
    picture = climb.progress().picture()
    edits: Any = [*climb.edits, (climb.moment, {"stop": True})]
    again = Climb(prepare(net, ["lion"], base, **options, at=edits))
    assert again.finish().tobytes() == picture.tobytes()
    assert again.moment == climb.moment


def test_what_lies_outside_a_new_mask_stays_to_the_bit(classifier: Net, photo: Tensor) -> None:
    for base in (None, photo):
        climb = Climb(plan_of(classifier, base, octave_count=1, iterations=6))
        whole_passes(climb, 2)
        before = climb.progress().image()
        climb.edit(mask=left_half())
        steps(climb, 3)
        after = climb.progress().image()
        assert torch.equal(after[:, :, 36:], before[:, :, 36:])
        assert not torch.equal(after[:, :, :34], before[:, :, :34])


def test_what_was_painted_under_an_earlier_mask_goes_on_to_the_next_octave(
    classifier: Net, photo: Tensor
) -> None:
    climb = Climb(plan_of(classifier, photo, mask=left_half(), iterations=4))
    whole_passes(climb, 3)
    climb.edit(mask=right_half())
    climb.finish()
    base, end = base_of(climb), climb.progress().image()
    change = (end - base).abs().mean((0, 1))
    assert change[:30].mean() > 0.01
    assert change[40:].mean() > 0.01


def test_erasing_goes_back_to_the_base_or_to_grey(classifier: Net, photo: Tensor) -> None:
    for base in (None, photo):
        climb = Climb(plan_of(classifier, base, octave_count=1))
        climb.finish()
        climb.edit(erase=left_half())
        assert climb.finished  # nothing more is painted
        image = climb.progress().image()
        wanted = torch.full((3, 48, 70), 0.5) if base is None else base_of(climb)
        # Coefficients keep black and white a little apart from 0 and 1.
        assert (image - wanted.clamp(0.02, 0.98))[:, :, :33].abs().max() < 0.005
        assert (image - wanted)[:, :, 37:].abs().max() > 0.02


def test_new_targets_after_the_end_begin_another_octave(classifier: Net) -> None:
    climb = Climb(plan_of(classifier))
    climb.finish()
    climb.edit(strength=2)
    assert climb.finished
    climb.edit(targets="tench")
    assert not climb.finished
    climb.finish()
    assert climb.passes == 9
    climb.edit(iterations=5)
    climb.finish()
    assert climb.passes == 11
    assert climb.progress().done == climb.progress().total


def test_new_targets_are_painted_where_only_detail_was(classifier: Net) -> None:
    plan = plan_of(classifier, size=(96, 140), subject=1.0)
    details = [octave.detail for _, octave in plan.octaves]
    assert any(details)
    climb = Climb(plan)
    while not climb.plan.octaves[climb._octave][1].detail:
        climb.step()
    before = climb.progress().image()
    climb.edit(targets="tench", mask=left_half())
    steps(climb, 1)
    assert not climb.plan.octaves[climb._octave][1].detail
    assert not torch.equal(climb.progress().image(), before)
    climb.finish()
    kinds = [octave.detail for _, octave in climb.plan.octaves]
    assert kinds.count(False) == details.count(False) + 1


def test_a_mix_gets_its_cooldown(classifier: Net) -> None:
    climb = Climb(plan_of(classifier))
    assert climb.plan.config.cooldown == 0
    climb.edit(targets={"goldfish": 1, "tench": 1})
    assert climb.plan.config.cooldown == climb.plan.config.mix_cooldown


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"targets": "nosuch"}, "has no class 'nosuch'"),
        ({"strength": 101}, "strength 101 must be from 0 to 100"),
        ({"strength": "1"}, "strength 1 must be"),
        ({"iterations": 0}, "iterations=0 must be a whole number, 1 or more"),
        ({"seed": -1}, "seed=-1 must be a whole number, 0 or more"),
        ({"padding": "none"}, "padding 'none' is not one of"),
        ({"sise": 3}, "cannot change 'sise'"),
        ({"mask": torch.zeros(10, 99)}, "the mask is 99x10"),
        ({"erase": torch.zeros(10, 99)}, "the mask is 99x10"),
    ],
)
def test_a_mistake_changes_nothing(classifier: Net, edit: Any, said: str) -> None:
    climb = Climb(plan_of(classifier))
    steps(climb, 2)
    kept, moment = climb.snapshot(), climb.moment
    with pytest.raises(UsageError, match=said):
        climb.edit(**edit)
    assert climb.edits == ()
    assert climb.moment == moment
    ended = climb.finish().tobytes()
    climb.restore(kept)
    assert climb.finish().tobytes() == ended
    # A program that plans the same is told before any work.
    if "erase" not in edit:
        with pytest.raises(UsageError, match=said):
            plan_of(classifier, at={1: edit})


def test_moments_that_are_none(classifier: Net) -> None:
    wrong: Any
    for wrong in ("4", -1, (1, 2, 3), (1, -2), 1.5):
        with pytest.raises(UsageError, match=r"must be a number of passes, or \(passes, rings\)"):
            plan_of(classifier, at={wrong: {"seed": 1}})
    with pytest.raises(UsageError, match="leave at out"):
        lucid.draw_diverse(classifier, "goldfish", count=2, **SMALL, at={1: {"seed": 2}})
    with pytest.raises(UsageError, match="give keyframes"):
        next(lucid.film(classifier, "goldfish", frames=2, **SMALL, at={1: {"seed": 2}}))


def test_a_plan_with_edits_is_a_value(classifier: Net) -> None:
    plan = plan_of(classifier, at=[(1, {"targets": "tench"}), ((2, 1), {"strength": 0.5})])
    first = paint(plan)
    assert torch.equal(first, paint(plan))
    assert not torch.equal(first, paint(plan_of(classifier)))
    assert plan.edits == (((1, 0), {"targets": "tench"}), ((2, 1), {"strength": 0.5}))


def test_a_picture_tells_its_edits(classifier: Net) -> None:
    climb = Climb(plan_of(classifier))
    whole_passes(climb, 2)
    climb.edit(targets={"tench": 2, "goldfish": 0.5}, strength=0.5)
    steps(climb, 1)
    text = climb.picture().info["lucid"]
    recipe = recipes.parse(text, "here")
    assert recipe.options["at"] == [
        ["2", "class=tench:2+goldfish:0.5; strength=0.5"],
        ["2.1", "stop"],
    ]
    climb.edit(mask=left_half())
    assert "mask at 2.1" in climb.picture().info["lucid"]  # which only the program has


def test_any_mode_of_the_caller(classifier: Net) -> None:
    pictures = []
    for mode in (torch.inference_mode, torch.no_grad, torch.enable_grad):
        with mode():
            climb = Climb(plan_of(classifier))
            steps(climb, 2)
            climb.edit(mask=left_half())
            kept = climb.snapshot()
            climb.finish()
            climb.restore(kept)
            pictures.append(climb.finish().tobytes())
    assert len(set(pictures)) == 1


def test_a_saved_picture_is_one_of_the_command_line_s(classifier: Net, tmp_path: Any) -> None:
    climb = Climb(plan_of(classifier))
    steps(climb, 3)
    file = io.BytesIO()
    climb.picture().save(file, "PNG")
    assert np.asarray(Image.open(file)).shape == (48, 70, 3)
    lucid.save(climb.picture(), tmp_path / "a.png")
    assert list(itertools.chain(recipes.read(tmp_path / "a.png").options["at"])) == [
        [f"{climb.passes}.{climb.rings}" if climb.rings else f"{climb.passes}", "stop"]
    ]
