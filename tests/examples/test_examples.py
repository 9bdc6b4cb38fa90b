"""The programs in examples/: they run, on a dozen pictures and tiny nets."""

from __future__ import annotations

import csv
from pathlib import Path

import figures
import judge
import numpy as np
import pytest
import seams
import torch
import train_lucid64
from click.testing import CliRunner, Result
from conftest import CLASS_NAMES, CLASSIFIER, write_net
from PIL import Image

from lucid.imaging.contact_sheet import GAP
from lucid.nets.registry import load


@pytest.fixture
def dozen(tmp_path: Path) -> Path:
    """Twelve pictures of two classes: reds and blues."""
    random = np.random.default_rng(0)
    for name, colour in {"poppy": (220, 40, 30), "sky": (60, 90, 230)}.items():
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(6):
            noise = random.normal(0, 20, (70, 80 + number, 3))
            Image.fromarray(np.uint8(np.clip(noise + colour, 0, 255))).save(
                folder / f"{number}.png"
            )
    return tmp_path / "photos"


def train(photos: Path, output: Path, *options: str) -> Result:
    words = [str(photos), "--output", str(output), "--device", "cpu", *options]
    return CliRunner().invoke(train_lucid64.main, words, catch_exceptions=False)


def test_a_net_is_trained_on_a_dozen_pictures(dozen: Path, tmp_path: Path) -> None:
    result = train(dozen, tmp_path / "out", "--name", "duo", "--epochs", "14", "--batch", "3")
    assert result.exit_code == 0, result.output
    assert "of 2 held back" in result.output
    with (tmp_path / "out" / "duo.csv").open() as file:
        curve = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in curve] == list(range(1, 15))
    assert float(curve[-1]["clean"]) == 1, "red is told from blue"

    net = load(str(tmp_path / "out" / "duo.cfg"))
    assert net.classes == ["poppy", "sky"]
    assert net.input_size == (64, 64)
    # What lucid reads is the net that was trained, batch normalisation and all.
    training = train_lucid64.Training(train_lucid64.read_photographs(dozen)[0], 14, 3, 0)
    training.resume(tmp_path / "out" / "duo.pt")
    pictures = torch.rand(2, 3, 64, 64)
    expected = training.kept.eval()(pictures).flatten(1)
    torch.testing.assert_close(net.logits(pictures), expected, atol=1e-4, rtol=1e-4)


def test_an_interrupted_training_comes_to_the_same_end(dozen: Path, tmp_path: Path) -> None:
    photographs, _ = train_lucid64.read_photographs(dozen)

    def start() -> train_lucid64.Training:
        return train_lucid64.Training(photographs, epochs=2, batch=4, seed=1)

    def go_on(training: train_lucid64.Training) -> None:
        training.curve.append({"loss": training.run_epoch(torch.float32)})

    whole, first, second = start(), start(), start()
    go_on(whole)
    go_on(whole)
    go_on(first)
    first.save(tmp_path / "half.pt")
    second.resume(tmp_path / "half.pt")
    go_on(second)
    assert second.curve == whole.curve
    for one, other in zip(whole.kept.parameters(), second.kept.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_of_another_training_is_refused(dozen: Path, tmp_path: Path) -> None:
    assert train(dozen, tmp_path, "--epochs", "1").exit_code == 0
    again = train(dozen, tmp_path, "--epochs", "2")
    assert again.exit_code == 1
    assert "lucid64.pt: is of another training" in again.output


def test_what_is_no_photograph_is_named(dozen: Path, tmp_path: Path) -> None:
    (dozen / "sky" / "broken.jpg").write_bytes(b"no picture")
    result = train(dozen, tmp_path)
    assert result.exit_code == 1
    assert "broken.jpg: cannot be read" in result.output
    assert "no folders of photographs" in train(dozen / "sky", tmp_path).output


def test_an_attack_stays_within_its_radius_and_does_harm() -> None:
    torch.manual_seed(0)
    scores = train_lucid64.folded(train_lucid64.build(3).eval())
    pictures, labels = torch.rand(4, 3, 64, 64), torch.tensor([0, 1, 2, 0])

    def loss(shown: torch.Tensor) -> float:
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(scores(shown), labels))

    losses = [loss(pictures)]
    for steps in (1, 10):
        moved = train_lucid64.attack(scores, pictures, labels, 0.5, steps)
        assert (moved - pictures).flatten(1).norm(dim=1).max() < 0.5 + 1e-4
        assert moved.min() >= 0
        assert moved.max() <= 1
        losses.append(loss(moved))
    assert losses == sorted(losses)


def test_packed_photographs_are_read(assets: Path) -> None:
    train, val = train_lucid64.read_photographs(assets / "data")
    assert (len(train), len(val), len(train.names)) == (32_000, 3_200, 64)
    assert train.names[0] == "goldfish"
    assert train.pictures[train.labels == 0].float().mean() > 50


def test_a_judge_looks_at_what_was_drawn(tmp_path: Path) -> None:
    net = str(write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES))
    sheet = tmp_path / "sheet.png"
    words = ["--net", net, "--judge", net, "--size", "32", "--sheet", str(sheet)]
    chosen = ["--class", "goldfish", "--class", "tench", "--class", "tiger cat"]
    result = CliRunner().invoke(judge.main, [*words, *chosen, "--columns", "2"])
    assert result.exit_code == 0, result.output
    assert Image.open(sheet).size == (32 * 2 + GAP, 32 * 2 + GAP)
    rows = [line for line in result.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| goldfish", "| tench", "| tiger cat"]
    assert "in the judge's top 5: 3 of 3 (100%)" in result.stdout


def test_seams_of_every_order_stand_in_a_table(tmp_path: Path) -> None:
    net = str(write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES))
    random = np.random.default_rng(0)
    photo = tmp_path / "photo.png"
    Image.fromarray(random.integers(0, 255, (50, 60, 3), np.uint8)).save(photo)
    words = [
        "--net",
        net,
        "--photo",
        str(photo),
        "--size",
        "300x260",
        "--seeds",
        "2",
        "--iters",
        "1",
    ]
    result = CliRunner().invoke(seams.main, words)
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if line.startswith("| 300x260")]
    assert [row.split(" | ")[1] for row in rows] == ["noise"] * 5 + ["photographs"] * 5
    assert [row.split(" | ")[2] for row in rows[:5]] == [
        *("spiral", "grid", "random", "deepdraw's first form", "none at all"),
    ]
    figures = [float(figure) for row in rows for figure in row.strip(" |").split(" | ")[3:]]
    assert all(0.1 < figure < 10 for figure in figures)


def test_strength_takes_a_photograph_away(tmp_path: Path) -> None:
    net = str(write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES))
    smooth = np.linspace(0, 255, 40 * 50 * 3).reshape(40, 50, 3)
    photo, sheet = tmp_path / "photo.png", tmp_path / "sheet.png"
    Image.fromarray(np.uint8(smooth)).save(photo)
    words = ["strengths", "--net", net, "--class", "goldfish", str(photo), str(sheet)]
    result = CliRunner().invoke(figures.main, words)
    assert result.exit_code == 0, result.output
    left = [float(line.split("SSIM ")[1].split(",")[0]) for line in result.stdout.splitlines()]
    assert len(left) == 4
    assert left == sorted(left, reverse=True)
    assert left[0] > 0.8
    assert Image.open(sheet).width > 4 * 50
