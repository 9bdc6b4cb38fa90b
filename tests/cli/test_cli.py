"""The commands, as they are typed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner, Result
from conftest import CLASS_NAMES, CLASSIFIER, LUCID, write_net
from PIL import Image

from lucid.cli import main
from lucid.imaging.io import read_image
from lucid.nets.registry import load
from lucid.nightmares.reconstruct import reconstruct

Run = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a net and a photograph in it."""
    write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    gradient = Image.linear_gradient("L").resize((60, 44))
    Image.merge("RGB", [gradient, gradient.rotate(90), gradient.rotate(180)]).save(
        tmp_path / "photo.v2.png"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUCID_CACHE", str(tmp_path / "cache"))
    return tmp_path


def size_of(path: Path | IO[bytes]) -> tuple[int, int]:
    """Width and height of a picture."""
    with Image.open(path) as image:
        return image.size


@pytest.fixture
def run() -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(main, words)

    return invoke


DRAW = ("draw", "--net", "tiny.cfg", "--class", "goldfish", "--tile-size", "32", "--octaves", "1")
QUICK = (*DRAW, "--iters", "1", "--device", "cpu")


@pytest.mark.slow
def test_help_answers_without_torch() -> None:
    code = "import sys, lucid.cli; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("command", ["", *main.commands])
def test_every_command_explains_itself(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Usage: main" in result.output or "Usage: lucid" in result.output


@pytest.mark.parametrize("dash", ["-", "--"])
def test_darknets_words_work(desk: Path, run: Run, dash: str) -> None:
    options = (
        f"{dash}range 3 {dash}iters 2 {dash}rate .01 {dash}rounds 2 {dash}octaves 2 {dash}norm 1"
    )
    result = run(*["nightmare", "tiny.cfg", "tiny.weights", "photo.v2.png", "1"], *options.split())
    assert result.exit_code == 0, result.output
    # Darknet's stem of a name ends at its first dot.
    written = ["photo_tiny_1_000000.png", "photo_tiny_1_000001.png"]
    assert sorted(path.name for path in desk.glob("photo_*")) == written
    assert size_of(desk / written[1]) == (60, 44)
    assert result.output.splitlines() == [f"wrote {name}" for name in written]


def test_a_net_by_name_and_a_prefix(desk: Path, run: Run) -> None:
    words = "nightmare tiny.cfg photo.v2.png 2 -prefix out/deep -iters 1 -rotate .1 -zoom .9 -q"
    result = run(*words.split())
    assert (result.exit_code, result.output) == (0, "")
    assert (desk / "out/deep/photo_tiny_2_000000.png").exists()


@pytest.mark.slow
def test_steps_are_saved_and_replayed(desk: Path, run: Run) -> None:
    words = ["nightmare", "tiny.cfg", "photo.v2.png", "2", "--precision", "fp32"]
    words += ["-range", "3", "-iters", "3"]
    saved = run(*words, "-rounds", "2", "--save-steps", "steps.json", "-prefix", "a")
    assert saved.exit_code == 0, saved.output
    steps = json.loads((desk / "steps.json").read_text())["steps"]
    assert len(steps) == 6
    assert set(steps[0]) == {"layer", "dx", "dy", "flip", "scale"}
    options = "-rounds 2 --steps steps.json --grey auto -prefix b"
    replay = run(*words[:4], *options.split())
    assert replay.exit_code == 0, replay.output
    drawn = run(*words, "-rounds", "2", "-prefix", "c")
    assert drawn.exit_code == 0, drawn.output
    for name in ("photo_tiny_2_000000.png", "photo_tiny_2_000001.png"):
        assert len({Image.open(desk / folder / name).tobytes() for folder in "abc"}) == 1


def test_a_turn_in_degrees_is_the_turn_in_radians(desk: Path, run: Run) -> None:
    words = ["nightmare", "tiny.cfg", "photo.v2.png", "2", "-rounds", "2", "-iters", "1"]
    assert run(*words, "-rotate", "0.5235987755982988", "-prefix", "a").exit_code == 0
    assert run(*words, "--rotate-degrees", "30", "-prefix", "b").exit_code == 0
    last = "photo_tiny_2_000001.png"
    assert Image.open(desk / "a" / last).tobytes() == Image.open(desk / "b" / last).tobytes()


@pytest.mark.parametrize("dash", ["-", "--"])
def test_reconstruct_as_darknet_has_it(desk: Path, run: Run, dash: str) -> None:
    words = "nightmare tiny.cfg tiny.weights photo.v2.png 0 -reconstruct -rounds 2 -iters 3"
    words += " -rate .01 -momentum .8 -lambda .02 -smooth 2"
    result = run(*words.replace(" -", f" {dash}").split())
    assert result.exit_code == 0, result.output
    expected = list(
        reconstruct(
            load("tiny.cfg"),
            read_image("photo.v2.png"),
            "0",
            rounds=2,
            iterations=3,
            rate=0.01,
            momentum=0.8,
            pull=0.02,
            reach=2,
        )
    )
    for number, picture in enumerate(expected):
        assert Image.open(f"photo_tiny_0_{number:06d}.png").tobytes() == picture.tobytes()


def test_a_replay_pulls_towards_grey_as_darknet_does(desk: Path, run: Run) -> None:
    step = {"layer": 2, "dx": 0, "dy": 0, "flip": 0, "scale": 1}
    (desk / "steps.json").write_text(json.dumps([step] * 5))
    words = ["nightmare", "tiny.cfg", "photo.v2.png", "2", "--steps", "steps.json"]
    for folder, more in (("a", []), ("b", ["--grey", "darknet"]), ("c", ["--grey", "2"])):
        assert run(*words, *more, "-prefix", folder).exit_code == 0
    a, b, c = ((desk / folder / "photo_tiny_2_000000.png").read_bytes() for folder in "abc")
    assert a == b != c


def test_convert(desk: Path, run: Run) -> None:
    result = run("convert", "tiny.cfg", "state.pth")
    assert result.exit_code == 0, result.output
    assert result.output == "wrote state.pth\n"
    assert (desk / "state.pth").stat().st_size > 1000


def test_draw_numbers_what_it_draws(desk: Path, run: Run) -> None:
    for number in range(2):
        result = run(*QUICK, "--class", "great white:.5", "--seed", "7")
        assert result.output == (
            "painting goldfish (0) and great white shark (2)\n"
            f"wrote goldfish+great-white-shark_{number:04d}.png (seed 7)\n"
        )
    images = [(desk / f"goldfish+great-white-shark_{n:04d}.png").read_bytes() for n in range(2)]
    assert images[0] == images[1]


def test_draw_on_a_base(desk: Path, run: Run) -> None:
    result = run(*QUICK, "photo.v2.png", "--seed", "1")
    assert result.output == "painting goldfish (0)\nwrote photo.v2_goldfish_0000.png (seed 1)\n"
    assert size_of(desk / "photo.v2_goldfish_0000.png") == (60, 44)


@pytest.mark.parametrize("options", ["--tiles grid --size 70x40", "--tiles random --padding wrap"])
def test_draw_with_its_options(desk: Path, run: Run, options: str) -> None:
    result = run(*QUICK, *options.split(), "--overlap", ".25", "-o", "x.jpg")
    assert result.exit_code == 0, result.output
    assert (desk / "x.jpg").exists()


def test_a_new_seed_each_time_unless_one_is_given(desk: Path, run: Run) -> None:
    said = [re.findall(r"seed (\d+)", run(*QUICK).output) for _ in range(3)]
    assert len({seed for (seed,) in said}) == 3


def test_nothing_is_overwritten_without_force(desk: Path, run: Run) -> None:
    (desk / "mine.png").write_text("precious")
    result = run(*QUICK, "-o", "mine.png")
    assert result.exit_code == 2
    assert "mine.png exists: give --force" in result.output
    assert (desk / "mine.png").read_text() == "precious"
    assert run(*QUICK, "-o", "mine.png", "--force").exit_code == 0
    assert size_of(desk / "mine.png") == (32, 32)


@pytest.mark.slow
def test_verbose_says_what_a_result_depends_on(desk: Path) -> None:
    process = subprocess.run(
        [*LUCID, *QUICK, "-v", "--seed", "5", "--precision", "fp32"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"tiny on cpu .*fp32, seed 5, torch", process.stderr)
    assert "drawing at 32x32" in process.stderr


@pytest.mark.slow
def test_it_is_quiet_where_nobody_watches(desk: Path) -> None:
    process = subprocess.run([*LUCID, *QUICK], capture_output=True, text=True, check=True)
    assert process.stderr == "painting goldfish (0)\n"
    assert process.stdout.startswith("wrote ")


@pytest.mark.slow
def test_a_reader_that_stops_listening_is_no_error(desk: Path, start: Start) -> None:
    process = start([*LUCID, "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == ""
    process.wait()


@pytest.mark.slow
def test_ctrl_c_keeps_the_drawing_so_far(desk: Path, start: Start) -> None:
    command = [*LUCID, *DRAW, "--iters", "1000000", "-v", "-o", "x.png", "--device", "cpu"]
    process = start(command, stderr=subprocess.PIPE)
    assert process.stderr
    while "drawing at" not in (line := process.stderr.readline()):
        assert line, "it ended before it began"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "stopped: the picture so far is x.png" in errors
    assert "Traceback" not in errors
    assert process.returncode == 130
    assert size_of(desk / "x.png") == (32, 32)


@pytest.mark.slow
def test_ctrl_c_keeps_the_nightmare_so_far(desk: Path, start: Start) -> None:
    words = "nightmare tiny.cfg photo.v2.png 2 -iters 3 -rounds 1000000"
    process = start([*LUCID, *words.split()], stderr=subprocess.PIPE)
    while not (desk / "photo_tiny_2_000000.png").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    last = re.fullmatch(r"stopped: the picture so far is (\S+\.png)\n", errors)
    assert last
    Image.open(desk / last[1]).load()
    assert process.returncode == 130
    assert not list(desk.glob(".photo*")), "no half-written file is left"


@pytest.mark.slow
def test_models_layers_classes_classify(desk: Path, run: Run) -> None:
    models = run("models").output
    assert re.search(r"vgg-conv +`lucid weights vgg-conv`", models)
    assert re.search(r"googlenet +[\d.]+ MB", models)
    layers = run("layers", "tiny.cfg").output.splitlines()
    assert layers[2].split() == ["2", "convolutional", "12x16x16"]
    assert "inception4c.cat" in run("layers", "googlenet").output
    assert run("classes", "tiny.cfg").output.splitlines()[4].split() == ["4", "tiger", "cat"]
    assert run("classes", "tiny.cfg", "SHARK").output.count("\n") == 2
    answers = run("classify", "tiny.cfg", "photo.v2.png").output.splitlines()
    assert len(answers) == 5
    assert sum(float(answer.split("%")[0]) for answer in answers) == pytest.approx(100, abs=0.5)


def test_the_real_net_names_the_dog(assets: Path, run: Run) -> None:
    net = assets / "models" / "squeezenet1_1.cfg"
    result = run("classify", str(net), str(assets / "images" / "dog.jpg"))
    assert "dogsled" in result.output.splitlines()[0]


BENCH = "bench --net tiny.cfg --layer 2 --size 70x50 --repeats 1 --device cpu"


@pytest.mark.slow
def test_bench_measures_steps_beside_the_baseline(desk: Path, run: Run) -> None:
    report = json.loads(
        run(
            *BENCH.split(), *["--tile-size", "32", "--batch", "3", "--json", "--precision", "fp32"]
        ).output
    )
    nightmare, draw, sweep, film = report["rows"]
    assert nightmare["size"] == "70x50"
    assert nightmare["ratio"] == pytest.approx(nightmare["step"] / nightmare["baseline"])
    assert draw["size"] == "48x48, 3 of 32x32"
    share = sweep["images"] * 32 * 32 / 3500
    assert sweep["ratio"] == pytest.approx(sweep["step"] / (share * sweep["baseline"]))
    assert film["ratio"] == pytest.approx(film["step"] / film["baseline"])
    assert sweep["peak_memory"] > 2**20
    shown = run(*BENCH.split(), "--precision", "fp32", "--precision", "bf16", "nightmare").output
    assert shown.count("nightmare") == 2
    assert "ratio" in shown


def test_bench_finds_what_became_worse(desk: Path, run: Run) -> None:
    words = [*BENCH.split(), "--precision", "fp32", "nightmare"]
    report = json.loads(run(*words, "--json").output)
    report["rows"][0]["ratio"] = 1e-6
    Path("fast.json").write_text(json.dumps(report))
    result = run(*words, "--compare", "fast.json")
    assert result.exit_code == 1
    assert "worse: nightmare tiny 70x50 fp32, ratio" in result.output
    report["rows"][0]["ratio"] = 1e6
    Path("slow.json").write_text(json.dumps(report))
    better = run(*words, "--compare", "slow.json")
    assert better.exit_code == 0
    assert "0 of 1 ratios are worse than before by more than 10%" in better.output


BAD = [
    ("bench sleep", 2, "'sleep' is no task: nightmare, draw, pass or film"),
    ("bench draw --size 64x64", 2, "--size changes nothing in draw: it is for film and nightmare"),
    ("bench pass film --layer 3", 2, "--layer changes nothing in film and pass: it is for nightm"),
    ("bench --weights tiny.weights", 2, "--weights are those of a --net: name it"),
    ("bench --compare tiny.cfg", 1, "tiny.cfg: is not what `lucid bench --json` prints"),
    ("nightmare tiny.cfg photo.v2.png", 2, "takes CFG WEIGHTS IMAGE LAYER"),
    (
        "nightmare tiny.cfg photo.v2.png 2 --save-steps no/s.json",
        2,
        "s.json: there is no folder no",
    ),
    ("nightmare tiny.cfg missing.weights photo.v2.png 2", 1, "missing.weights: there is no such"),
    ("nightmare tiny.cfg short.weights photo.v2.png 2", 1, "bytes expected, 100 found"),
    ("nightmare tiny.cfg photo.v2.png 6", 2, "tiny has no layer 6: its layers are 0 to 5"),
    ("nightmare tiny.cfg photo.v2.png 2 -range 7", 2, "reaches from layer number -1 to 5"),
    ("nightmare tiny.cfg missing.png 2", 1, "missing.png: cannot be read (No such file"),
    ("nightmare tiny.cfg tiny.cfg 2", 1, "tiny.cfg: is not an image"),
    ("nightmare missing.cfg photo.v2.png 2", 2, "missing.cfg: there is no such cfg"),
    ("nightmare fault.cfg photo.v2.png 2", 1, "fault.cfg, line 5: 'oops' is neither"),
    ("nightmare odd.cfg photo.v2.png 2", 1, "[wizardry] is not a kind of layer"),
    ("nightmare rnn.cfg photo.v2.png 2", 1, "[gru] is recurrent"),
    ("nightmare tiny.cfg tiny.weights photo.v2.png", 2, "photo.v2.png LAYER is missing"),
    ("nightmare tiny.cfg photo.v2.png 2 -octave 4", 2, "No such option"),
    ("nightmare tiny.cfg photo.v2.png 2 -rounds 0", 2, "-rounds"),
    ("nightmare tiny.cfg photo.v2.png 2 -rate fast", 2, "'fast' is not a valid number"),
    ("nightmare tiny.cfg photo.v2.png 2 --grey black", 2, "'black' is not auto, darknet"),
    ("nightmare tiny.cfg photo.v2.png 2 -prefix tiny.cfg/x", 2, "cannot be made a folder"),
    ("nightmare tiny.cfg photo.v2.png 2 -rate nan", 2, "nan is not a finite number"),
    ("nightmare tiny.cfg photo.v2.png 2 --grey inf", 2, "inf is not in the range"),
    ("nightmare tiny.cfg photo.v2.png 2 -zoom 95", 2, "at most 4"),
    ("nightmare tiny.cfg photo.v2.png 2 -range 9 -prefix new", 2, "reaches from layer"),
    ("nightmare tiny.cfg tiny.weights photo.v2.png 2 --weights x", 2, "weights are given twice"),
    (f"draw --net tiny.cfg --class 1 --seed {10**30}", 2, "--seed"),
    (f"draw --net tiny.cfg --class {'9' * 5000}", 2, "tiny has no class 999"),
    (f"draw --net tiny.cfg --class 1 -o {'x' * 300}.png", 2, "File name too long"),
    ("draw --net tiny.cfg --class 1 --tile-size 400000", 2, "in tiles of 400000 needs about"),
    ("draw --net tiny.cfg --class 1 --size 70000x9 -o x.jpg", 2, "JPEG holds at most 65500"),
    ("nightmare tiny.cfg photo.v2.png 2 --steps fault.cfg", 1, "fault.cfg: is not JSON"),
    ("nightmare tiny.cfg photo.v2.png 2 --steps far.json", 2, "step 0: tiny has no layer 77"),
    ("nightmare tiny.cfg photo.v2.png 2 -rotate 1 --rotate-degrees 9", 2, "-rotate means nothing"),
    ("nightmare tiny.cfg photo.v2.png 2 -reconstruct --save-steps s", 2, "means nothing beside"),
    ("nightmare tiny.cfg photo.v2.png 2 -reconstruct -zoom 1", 2, "-zoom means nothing beside"),
    ("nightmare tiny.cfg photo.v2.png 2 --save-steps two.names", 2, "two.names exists"),
    ("convert squeezenet1_1 a.weights", 1, "squeezenet1_1 is no chain of layers"),
    ("convert tiny.cfg missing/a.pth", 2, "there is no folder missing"),
    ("nightmare tiny.cfg photo.v2.png 2 -reconstruct -lambda nan", 2, "nan is not a finite number"),
    ("nightmare tiny.cfg photo.v2.png 2 --tile-size 16", 2, "needs a tile size of 192 or more"),
    ("convert tiny.cfg tiny.pth", 2, "tiny.pth exists: give --force"),
    ("convert tiny.cfg other.weights", 1, "tiny is a Darknet net already"),
    ("convert tiny.cfg state.onnx", 2, "end the name in .weights, .pth or .safetensors"),
    ("draw", 2, "there is nothing to draw"),
    ("draw --net tiny.cfg --class golfish", 2, "the nearest are goldfish, fish"),
    ("draw --net lucid1000 --class terrier", 2, "fits several of lucid1000: toy terrier"),
    ("draw --class golfish", 2, "lucid64 has no class 'golfish'; the nearest are goldfish"),
    ("draw --class gibbon", 2, "Try --net lucid1000, which knows it"),
    ("draw --net tiny.cfg --class goldfish:much", 2, "'much' in 'goldfish:much' is not a number"),
    ("draw --net vgg-conv --class goldfish", 2, "vgg-conv has no classes"),
    ("draw --net nonet --class goldfish", 2, "there is no net 'nonet'"),
    ("draw --net tiny.cfg --class 1 --size 0x40", 2, "'0x40' is not a size in pixels"),
    ("draw --net tiny.cfg --class 1 --size big", 2, "'big' is not a size in pixels"),
    ("draw --net tiny.cfg --class 1 --size 999999x999999", 1, "GiB of disk"),
    ("draw --net tiny.cfg --class 1 --canvas fourier --size 999999x999999", 2, "GiB of memory"),
    ("draw --net tiny.cfg --class 1 -octave 4", 2, "No such option"),
    ("draw --net tiny.cfg --class 1 -o missing/x.png", 2, "there is no folder missing"),
    ("draw --net tiny.cfg --class 1 -o /proc/x.png", 2, "/proc/x.png: "),
    ("draw --net tiny.cfg --class 1 -o x.txt", 2, "x.txt: end the name in .png"),
    ("draw --net tiny.cfg --class 1 --overlap 1.5", 2, "--overlap"),
    ("draw --net tiny.cfg --class 1 --device abacus", 2, "device 'abacus' is not"),
    ("draw missing.png --net tiny.cfg --class 1", 1, "missing.png: cannot be read"),
    ("draw --net vgg-16 --class 1", 1, "no weights for vgg-16.cfg: --weights FILE"),
    ("draw --net squeezenet1_1 --weights tiny.pth --class 1", 1, "tiny.pth: cannot be read"),
    ("layers nonet", 2, "there is no net 'nonet'"),
    ("classes vgg-conv", 2, "vgg-conv has no classes"),
    ("classes tiny.cfg zebra", 2, "no class with 'zebra'"),
    ("classify vgg-conv photo.v2.png --weights tiny.weights", 1, "bytes expected"),
    ("classify tiny.cfg photo.v2.png --names two.names", 1, "two.names: 2 names, but tiny has 5"),
    ("classes darknet19 shark", 2, "classes have only numbers here"),
    ("weights tiny.cfg", 1, "nobody publishes weights for tiny"),
    ("dream", 2, "No such command"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "code", "message"), BAD, ids=[words for words, *_ in BAD])
def test_bad_input_gets_one_clear_line(
    desk: Path, run: Run, words: str, code: int, message: str
) -> None:
    net = "[net]\nwidth=8\nheight=8\nchannels=3\n"
    (desk / "fault.cfg").write_text(f"{net}oops\n")
    (desk / "odd.cfg").write_text(f"{net}[wizardry]\n")
    (desk / "rnn.cfg").write_text(f"{net}[gru]\n")
    step = {"layer": 77, "dx": 0, "dy": 0, "flip": 0, "scale": 1}
    (desk / "far.json").write_text(json.dumps([step]))
    (desk / "short.weights").write_bytes(bytes(100))
    (desk / "tiny.pth").write_bytes(b"not a zip")
    (desk / "two.names").write_text("cat\ndog\n")
    before = sorted(os.listdir(desk))
    result = run(*words.split())
    assert message in result.output
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1, "one line"
    assert result.exit_code == code
    assert sorted(os.listdir(desk)) == before, "nothing is left behind"


@pytest.mark.slow
def test_no_network_is_one_clear_line(
    desk: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(desk))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nobody listens
    for words in ("draw --net resnet18 --class goldfish -q", "weights vgg-conv -q"):
        result = run(*words.split())
        assert result.exit_code == 1
        assert "cannot be fetched (no network" in result.output
        assert "--weights FILE" in result.output
