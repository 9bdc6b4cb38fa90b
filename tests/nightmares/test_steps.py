from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lucid.errors import LucidError
from lucid.nets.net import Net
from lucid.nightmares.steps import (
    NightmareStep,
    draw_steps,
    layers_around,
    read_steps,
    write_steps,
)

STEP = {"layer": 2, "dx": -3, "dy": 4, "flip": 1, "scale": 0.75}


def test_random_steps_cover_all_of_their_ranges(classifier: Net) -> None:
    layers = layers_around(classifier, "2", 3)
    steps = list(itertools.islice(draw_steps(layers, octaves=3, seed=0), 400))
    assert {step.layer for step in steps} == {"1", "2", "3"}
    assert {step.scale for step in steps} == {1, 0.75, 0.5625}
    assert {step.dx for step in steps} == {step.dy for step in steps} == set(range(-8, 8))
    assert {step.flip for step in steps} == {True, False}


@pytest.mark.slow
@given(
    st.lists(
        st.builds(
            NightmareStep,
            st.sampled_from("012345"),
            st.integers(-8, 7),
            st.integers(-8, 7),
            st.booleans(),
            st.floats(0.1, 4),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_steps_are_read_as_they_were_written(
    classifier: Net, tmp_path: Path, steps: list[NightmareStep]
) -> None:
    write_steps(steps, tmp_path / "steps.json")
    assert read_steps(tmp_path / "steps.json", classifier) == steps


@pytest.mark.parametrize("content", [[STEP], {"command": "…", "steps": [STEP]}])
def test_a_list_of_steps_or_an_object_with_one_is_read(
    classifier: Net, tmp_path: Path, content: object
) -> None:
    path = tmp_path / "steps.json"
    path.write_text(json.dumps(content))
    assert read_steps(path, classifier) == [NightmareStep("2", -3, 4, True, 0.75)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "holds no list of steps"),
        ("[]", "holds no list of steps"),
        ("[3]", "step 0 must have layer, dx, dy, flip and scale"),
        (json.dumps([STEP, STEP | {"zoom": 1}]), "step 1 must have"),
        (json.dumps([STEP | {"layer": 9}]), "step 0: tiny has no layer 9"),
        (json.dumps([STEP | {"dx": 0.5}]), "step 0: dx 0.5 is not a whole number"),
        (json.dumps([STEP | {"dy": 10**9}]), "dy 1000000000 is not"),
        (json.dumps([STEP | {"flip": 2}]), "flip 2 is not false, true, 0 or 1"),
        (json.dumps([STEP | {"flip": [1]}]), "is not false, true, 0 or 1"),
        (json.dumps([STEP | {"scale": 0}]), "scale 0 is not a number above 0"),
        (json.dumps([STEP | {"scale": float("nan")}]), "scale nan is not"),
        (json.dumps([STEP | {"scale": True}]), "scale True is not"),
    ],
)
def test_a_faulty_step_is_named(
    classifier: Net, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "steps.json"
    path.write_text(content)
    with pytest.raises(LucidError) as error:
        read_steps(path, classifier)
    assert path.name in str(error.value)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1
