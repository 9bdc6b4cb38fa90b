"""Attribution, ranked channels, feature sheets and explanations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import Tensor, nn

import lucid
from lucid.cli import main
from lucid.core.ascent import Ascent
from lucid.core.device import Runtime
from lucid.drawing.feature_sheet import channel_cells, feature_sheet
from lucid.errors import UsageError
from lucid.imaging import recipes
from lucid.imaging.io import center_crop_resize
from lucid.nets.net import LOGITS, Net


def run(words: str) -> Result:
    return CliRunner().invoke(main, words.split())


def linear_net() -> Net:
    """Its score is a weighted sum of its features' means."""
    torch.manual_seed(0)
    head = nn.Linear(6, 3, bias=False)
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    return lucid.wrap(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), *pooled), input_size=(32, 32))


def test_attributions_of_a_linear_head_add_up_to_the_score(photo: Tensor) -> None:
    net = linear_net()
    found = lucid.attribute(net, photo, 2, "1")
    shown = center_crop_resize(photo, (32, 32))[None]
    score = Ascent(net, Runtime("cpu", "fp32")).forward(shown, [LOGITS])[LOGITS][0, 2]
    torch.testing.assert_close(found.sum(), score)
    features = net.activations(shown, ["1"])["1"][0].mean((1, 2))
    weights = dict(net.named_parameters())["model.4.weight"][2]
    torch.testing.assert_close(found, features * weights)
    with pytest.raises(UsageError, match="has no layer 'nosuch'"):
        lucid.attribute(net, photo, 2, "nosuch")
    with pytest.raises(UsageError, match="no class 7"):
        lucid.attribute(net, photo, 7, "1")


def test_ranks_of_channels(photo: Tensor) -> None:
    net = linear_net()
    features = net.activations(photo[None], ["0"])["0"][0].abs().mean((1, 2))
    order = features.argsort(descending=True).tolist()
    exact = Runtime("cpu", "fp32")
    found = lucid.rank_channels(net, "0", photo, "strongest", 3, runtime=exact)
    assert found == order[:3]
    assert lucid.rank_channels(net, "0", photo, "weakest", 2, runtime=exact) == order[:-3:-1]
    nearest = (features - features.mean()).abs().argsort().tolist()
    assert lucid.rank_channels(net, "0", photo, "average", 4, runtime=exact) == nearest[:4]
    for rank, count, said in (("best", 1, "give strongest, weakest"), ("weakest", 7, "1 to 6")):
        with pytest.raises(UsageError, match=said):
            lucid.rank_channels(net, "0", photo, rank, count)


@pytest.mark.slow
def test_channels_of_what_the_layer_sees(desk: Path) -> None:
    words = "--net tiny.cfg --layer 0 --iters 1 --octaves 1 --device cpu --seed 1 --tile-size 32"
    made = run(f"draw photo.png {words} --channels strongest 2 -o a.png")
    assert made.exit_code == 0, made.output
    found = lucid.rank_channels(lucid.load("tiny.cfg"), "0", desk / "photo.png", "strongest", 2)
    assert f"painting channels {found[0]}, {found[1]} of layer 0, the strongest" in made.stderr
    numbers = ",".join(map(str, found))
    typed = run(f"draw photo.png {words.replace('--layer 0', f'--layer 0:{numbers}')} -o b.png")
    assert typed.exit_code == 0, typed.output
    with Image.open("a.png") as one, Image.open("b.png") as other:
        assert one.tobytes() == other.tobytes()
    assert run("redo a.png -o c.png").exit_code == 0
    assert (desk / "c.png").read_bytes() == (desk / "a.png").read_bytes()
    film = run(f"film photo.png {words} --channels weakest 1 --frames 2 -o film.gif")
    assert film.exit_code == 0, film.output
    for refused, said in (
        (f"draw {words} --channels weakest 1", "looks at a picture"),
        (f"draw photo.png {words} --layer 2 --channels weakest 1", "needs one --layer"),
        (f"draw photo.png {words} --channels weakest 99", "channels: give 1 to"),
        (f"draw photo.png {words} --channels best 1", "is not one of"),
    ):
        result = run(refused)
        assert result.exit_code == 2
        assert said in result.stderr


@pytest.mark.slow
def test_sheets_of_channels_and_classes(desk: Path) -> None:
    small = "--size 32 --iters 1 --device cpu"
    made = run(f"sheet tiny.cfg 0 --channels 0-1,3 {small} -o fire.png")
    assert made.exit_code == 0, made.output
    assert "wrote fire.png (3 channels; each in fire)" in made.output
    cells = sorted((desk / "fire").iterdir())
    assert [cell.name for cell in cells] == [f"channel_0000{number}.png" for number in (0, 1, 3)]
    assert recipes.read(cells[2]).options["layer"] == ["0:3"]
    again = run(f"sheet tiny.cfg 0 --channels 0-1,3 {small} -o fire.png")
    assert again.exit_code == 2
    assert "fire.png exists: give --force to overwrite it, or --resume" in again.stderr
    kept = cells[0].stat().st_mtime_ns, cells[2].read_bytes()
    cells[2].unlink()
    assert run(f"sheet tiny.cfg 0 --channels 0-1,3 {small} -o fire.png --resume").exit_code == 0
    assert (cells[0].stat().st_mtime_ns, cells[2].read_bytes()) == kept
    drawn = run(f"sheet tiny.cfg --classes tench --classes 0 {small} --columns 1 --no-recipe")
    assert drawn.exit_code == 0, drawn.output
    with Image.open("tiny_classes_sheet.png") as sheet:
        assert sheet.height > 2 * sheet.width
    for words, said in (
        ("sheet tiny.cfg", "give a LAYER, or --classes"),
        ("sheet tiny.cfg 0 --classes tench", "give a LAYER, or --classes"),
        ("sheet tiny.cfg 0 --channels 2-1", "is no list of numbers"),
        ("sheet tiny.cfg 0 --channels 999", "no 999"),
        ("sheet tiny.cfg 77", "no layer 77"),
    ):
        result = run(words)
        assert result.exit_code == 2
        assert said in result.stderr


@pytest.mark.slow
def test_a_sheet_marks_dead_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dying.py").write_text(
        "import torch\n"
        "def make():\n"
        "    torch.manual_seed(0)\n"
        "    conv = torch.nn.Conv2d(3, 2, 3)\n"
        "    conv.bias.data[1] = -1e4\n"
        "    return torch.nn.Sequential(conv, torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),\n"
        "                               torch.nn.Flatten())\n"
    )
    monkeypatch.chdir(tmp_path)
    labels: list[str] = []
    net = lucid.load("dying.py:make")
    cells = channel_cells(net, "1", [0, 1], tmp_path)
    runtime = Runtime("cpu", "fp32")
    feature_sheet(
        net,
        cells,
        side=32,
        iterations=1,
        runtime=runtime,
        watch=lambda label, _: labels.append(label),
    )
    assert labels == ["1:0", "1:1 (dead)"]


@pytest.mark.slow
def test_an_explanation_shows_the_picture_and_channels(desk: Path) -> None:
    made = run("explain photo.png --net tiny.cfg --class goldfish -n 2 --size 32 --device cpu")
    assert made.exit_code == 0, made.output
    assert "goldfish (0)" in made.output
    assert "that add most" in made.output
    with Image.open("photo_explained_0000.png") as sheet:
        assert sheet.width == 2 * 32 + 2  # three pictures in two columns
    assert run("redo photo_explained_0000.png -o again.png").exit_code == 0
    assert (desk / "again.png").read_bytes() == (desk / "photo_explained_0000.png").read_bytes()
    likeliest = run("explain photo.png --net tiny.cfg -n 1 --size 32 --device cpu -o b.png")
    assert likeliest.exit_code == 0, likeliest.output
    assert "no class 'lion'" in run("explain photo.png --net tiny.cfg --class lion").stderr


@pytest.mark.slow
def test_a_sheet_keeps_no_pictures_of_another(desk: Path) -> None:
    small = "--channels 0-1 --size 32 --iters 1 --device cpu -o s.png"
    assert run(f"sheet tiny.cfg 0 {small}").exit_code == 0
    assert run(f"sheet tiny.cfg 0 {small} --resume").exit_code == 0
    for words, said in (
        (f"sheet tiny.cfg 2 {small} --resume", "made with other settings (layer)"),
        (f"sheet tiny.cfg 0 {small} --resume --seed 5", "made with other settings (seed)"),
        (f"sheet tiny.cfg 0 {small.replace('32', '40')} --resume", "other settings (size)"),
        ("sheet tiny.cfg --classes tench:5", "has no weight or place on a sheet"),
        ("sheet tiny.cfg 0 --channels 0-99999999999", "is no list of numbers"),
    ):
        refused = run(words)
        assert refused.exit_code == 2
        assert said in refused.stderr


def test_attribution_does_not_depend_on_the_precision_asked_for(photo: Tensor) -> None:
    net = linear_net()
    plain = lucid.attribute(net, photo, 2, "1")
    coarse = lucid.attribute(net, photo, 2, "1", runtime=Runtime("cpu", "bf16"))
    torch.testing.assert_close(plain, coarse)
