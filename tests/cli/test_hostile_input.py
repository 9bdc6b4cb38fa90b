"""What a stranger's file, or a slip of the fingers, can do: be refused in one line, no more."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import CLASS_NAMES, CLASSIFIER, HEADER, LUCID, write_net
from PIL import Image
from test_cli import QUICK, Run, Start, desk, run

from lucid.cli import main
from lucid.imaging import recipes, video
from lucid.imaging.recipes import Recipe

pytestmark = pytest.mark.slow

__all__ = ["desk", "run"]

ESCAPE = "\x1b]0;owned\x07\x1b[2J"
FILM = ("film", "--net", "tiny.cfg", "--class", "goldfish", "--frames", "2", "--iters", "1")


def refusal(run: Run, *words: str, code: int | None = None) -> str:
    """The one line that a command is refused with."""
    result = run(*words)
    assert result.exit_code == code if code else result.exit_code in (1, 2), result.output
    lines = result.output.splitlines()
    assert len(lines) == 1, result.output
    assert lines[0].startswith("Error: ")
    assert lines[0].isprintable()
    return lines[0]


# Numbers


@pytest.mark.parametrize(
    "words",
    [
        *("--blur nan", "--tv nan", "--tv inf", "--noise nan", "--tint nan", "--strength nan"),
        *("--overlap nan", "--octave-scale nan", "--octave-scale inf", "--variety nan"),
        *("--subject nan", "--subject 1e999", "--iters 99999999999999999999", "--octaves 1001"),
        *("--octaves 2147483647", "--octave-scale 1.0000001 --octaves 100000000"),
        *("--count 0", "--tile-size 2147483647", "--batch 0", "--seed -1", "--size 0x1"),
        *("--class goldfish:nan", "--class goldfish:1e999", "--class goldfish@nan,.5"),
        *("--class goldfish@.5,.5,nan", "--class goldfish@.5,.5,1e300", f"--iters {'9' * 5000}"),
    ],
)
def test_no_number_that_is_none_is_drawn_with(desk: Path, run: Run, words: str) -> None:
    refusal(run, *QUICK, *words.split(), code=2)
    assert not list(desk.glob("goldfish*"))


@pytest.mark.parametrize(
    "words",
    [
        *("--grey nan", "--grey 1e300", "-rate nan", "-rate 1e300", "-thresh nan", "-thresh inf"),
        *("-zoom nan", "-zoom 0", "-rotate inf", "--rotate-degrees nan", "-range 99999999999"),
        *("-reconstruct -lambda nan", "-reconstruct -momentum nan", "-reconstruct -smooth 999"),
    ],
)
def test_no_nightmare_of_a_number_that_is_none(desk: Path, run: Run, words: str) -> None:
    refusal(run, "nightmare", "tiny.cfg", "photo.v2.png", "0", *words.split(), code=2)
    assert not list(desk.glob("photo_*"))


@pytest.mark.parametrize(
    "warp",
    [
        *("palette:-1e300", "zoom:nan", "zoom:1e999", "zoom:pi/(pi<e)", "zoom:(-e)**pi"),
        *("colors:1e300,0,0,0,0,0,0,0,0"),
        *("zoom:9**9**9**9", "roll:n.__class__", "zoom:1" + "+1" * 300),
    ],
)
def test_no_warp_of_a_number_that_is_none(desk: Path, run: Run, warp: str) -> None:
    refusal(run, *FILM, "--warp", warp, "-o", "a.gif")
    assert not list(desk.glob("a.gif*"))


# Pictures


def bad_png(folder: Path, width: int, height: int) -> Path:
    """A PNG whose header promises so many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    path = folder / "bad.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("size", [(13_000, 13_000), (100_000, 100_000), (2**31 - 1, 1)])
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(
    desk: Path, run: Run, size: tuple[int, int]
) -> None:
    bad_png(desk, *size)
    for words in ((*QUICK, "bad.png"), (*FILM, "bad.png"), ("classify", "tiny.cfg", "bad.png")):
        assert "bad.png: " in refusal(run, *words)


def test_an_animation_that_fills_the_memory_is_refused(
    desk: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [Image.new("L", (60, 44), shade) for shade in range(0, 250, 50)]
    frames[0].save(desk / "long.gif", save_all=True, append_images=frames[1:])
    monkeypatch.setattr(video, "MAX_PIXELS_IN_MEMORY", 60 * 44 * 3)
    said = refusal(run, "film", "--from", "long.gif", "-o", "back.gif", "--reverse", code=1)
    assert "long.gif: 13,200 pixels in all frames are too many for the memory" in said
    # Forwards, and to dream on, one frame at a time is read.
    words = ("--size", "32x32", "--octaves", "1", "--no-flow", "-o", "new.gif")
    assert run(*FILM, "long.gif", *words).exit_code == 0
    assert run("film", "--from", "long.gif", "-o", "frames").output == "wrote frames (5 frames)\n"
    assert run("film", "--from", "long.gif", "-o", "again.gif").exit_code == 0


def test_pixels_that_are_no_numbers_are_refused(desk: Path, run: Run) -> None:
    grey = np.full((40, 40), 0.5, np.float32)
    grey[3, 3] = np.nan
    Image.fromarray(grey).save(desk / "nan.tif")
    for words in (
        (*QUICK, "nan.tif"),
        (*QUICK, "photo.v2.png", "--mask", "nan.tif"),
        ("classify", "tiny.cfg", "nan.tif"),
        ("nightmare", "tiny.cfg", "nan.tif", "0"),
    ):
        assert "nan.tif: holds pixels that are no numbers" in refusal(run, *words, code=1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(desk: Path, run: Run, value: float) -> None:
    content = bytearray((desk / "tiny.weights").read_bytes())
    content[len(HEADER) + 40 : len(HEADER) + 44] = np.float32(value).tobytes()
    (desk / "tiny.weights").write_bytes(content)
    said = refusal(run, *QUICK, code=1)
    assert "tiny.weights: holds weights that are no numbers" in said


ODD_TENSORS: dict[str, Callable[[], torch.Tensor]] = {
    "int32": lambda: torch.zeros(3, dtype=torch.int32),
    "bool": lambda: torch.zeros(3, dtype=torch.bool),
    "complex64": lambda: torch.zeros(3, dtype=torch.complex64),
    "sparse": lambda: torch.zeros(3).to_sparse(),
    "meta": lambda: torch.empty(3, device="meta"),
    "qint8": lambda: torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
}


@pytest.mark.parametrize("what", ODD_TENSORS)
@pytest.mark.filterwarnings("ignore")
def test_a_state_dict_holds_plain_numbers(desk: Path, run: Run, what: str) -> None:
    tensor = ODD_TENSORS[what]()
    torch.save({"features.0.weight": tensor}, desk / "odd.pth")
    said = refusal(run, "draw", "--net", "squeezenet1_1", "--weights", "odd.pth", "--class", "lion")
    assert "odd.pth: features.0.weight is no plain tensor" in said
    assert what in said


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp", "dds", "ico"])
def test_damaged_pictures_are_refused_in_one_line(desk: Path, run: Run, suffix: str) -> None:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(
        buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
    )
    whole, random = buffer.getvalue(), np.random.default_rng(0)
    path = desk / f"bad.{suffix}"
    for number in range(60):
        damaged = bytearray(whole[: len(whole) // 2] if number % 3 == 0 else whole)
        for place in random.integers(0, len(damaged), 1 + number):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        for words in (("show", path.name), ("classify", "tiny.cfg", path.name)):
            result = run(*words)
            assert result.exit_code in (0, 1, 2), (number, result.output)
            assert result.exit_code == 0 or len(result.output.splitlines()) == 1


@pytest.mark.parametrize("tag", [270, 37510])
def test_a_description_that_is_a_number_is_no_recipe(desk: Path, run: Run, tag: int) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[tag] = 7
    exif[tag] = 7
    for name in ("a.tif", "a.jpg"):
        Image.new("RGB", (8, 8)).save(desk / name, exif=exif)
        assert f"{name}: holds no recipe" in refusal(run, "show", name, code=1)


# Files that are none


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs")
@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_file_is_not_read(desk: Path, run: Run, kind: str) -> None:
    for name in ("odd.png", "odd.toml", "odd.json", "odd.cfg", "odd.weights", "odd.names"):
        if kind == "fifo":
            os.mkfifo(desk / name)
        elif kind == "device":
            (desk / name).symlink_to("/dev/zero")
        else:
            (desk / name).mkdir()
    (desk / "warps.py").symlink_to("odd.toml")
    commands = [
        *("show odd.png", "show odd.toml", "show odd.json", "redo odd.png", "run odd.toml"),
        *("classify tiny.cfg odd.png", "layers odd.cfg", "classes tiny.cfg --names odd.names"),
        "nightmare tiny.cfg photo.v2.png 0 --steps odd.json",
        "nightmare odd.cfg tiny.weights photo.v2.png 0",
        f"{' '.join(FILM)} photo.v2.png --warps warps.py",
        *(
            f"{' '.join(QUICK)} {words}"
            for words in (
                *("--mask odd.png", "--preset odd.toml", "--mix odd.toml", "--guide odd.png"),
                *("--weights odd.weights", "--names odd.names", "--class goldfish@odd.png"),
            )
        ),
    ]
    if kind != "folder":  # of pictures: a film
        commands += [f"{' '.join(FILM)} odd.png", f"{' '.join(QUICK)} odd.png"]
    for command in commands:
        assert "odd." in refusal(run, *command.split()).replace("warps.py", "odd."), command


def test_an_endless_standard_input_is_not_read_to_its_end(desk: Path) -> None:
    for words in ((*QUICK, "-"), ("show", "-"), (*FILM, "-", "-o", "a.gif")):
        with Path("/dev/zero").open("rb") as endless:
            result = CliRunner().invoke(main, words, input=endless)
        assert result.exit_code == 2
        assert "standard input is neither a picture nor a video" in result.output


@pytest.mark.parametrize("content", [b"", b"\n", b"P", b"\xff\xd8", b"GIF89a"])
def test_a_short_standard_input_is_refused(desk: Path, content: bytes) -> None:
    result = CliRunner().invoke(main, [*QUICK, "-"], input=content)
    assert result.exit_code == 2
    assert "standard input is neither a picture nor a video" in result.output


def test_a_text_file_that_is_too_large_is_refused(desk: Path, run: Run) -> None:
    with (desk / "huge.toml").open("wb") as file:
        file.truncate(2**40)
    assert "huge.toml: is too large for a text file" in refusal(run, "run", "huge.toml", code=1)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 10_000,
        "a = " + "[" * 50 + "]" * 50,
        "[" + "a." * 100 + "a]",
        "a = 1979-05-27T07:32:00Z",
        'a = "\\u0000"',
        '{"a": "\\ud800"}',
        '{"a": "\\u0000"}',
        '{"a": ' + '{"a":' * 50 + "1" + "}" * 51,
        "{" * 100_000,
        "\ufeff",
        "",
        "[[[",
        "command = 3",
        'command = ""',
        "octaves = 1e400",
    ],
)
def test_odd_tables_are_refused_everywhere(desk: Path, run: Run, text: str) -> None:
    for name in ("odd.toml", "odd.json"):
        (desk / name).write_text(text, encoding="utf-8")
        refusal(run, "run", name)
        if not (name == "odd.toml" and text in ("", "\ufeff")):  # an empty preset changes nothing
            refusal(run, *QUICK, "--preset", name)
            refusal(run, *QUICK[:3], "--mix", name)
        refusal(run, "nightmare", "tiny.cfg", "photo.v2.png", "0", "--steps", name)


def test_a_preset_without_octaves_works_on_every_net(desk: Path, run: Run) -> None:
    for text in ("", "lr = 0.02", "decay_power = 1.1"):
        (desk / "p.toml").write_text(text)
        words = ("--net", "lucid64", "--class", "lion", "--size", "32x32", "--iters", "1")
        assert run("draw", *words, "--preset", "p.toml", "--device", "cpu").exit_code == 0, text


@pytest.mark.parametrize(
    "line",
    [
        *("scale = [1e-300, 1e-300]", "iterations = 0", "jitter = -1", "blur = 1e5", "lr = nan"),
        *("blur_sigmas = [1e6]", "octaves = 0", "octaves = 1001", "octave_scale = 1.0000001"),
        "[[octaves]]\niter_n = 0",
        "[[octaves]]\nstart_sigma = 1e6",
    ],
)
def test_a_preset_of_impossible_numbers_is_refused(desk: Path, run: Run, line: str) -> None:
    (desk / "p.toml").write_text(line + "\n")
    refusal(run, *QUICK[:7], "--preset", "p.toml")


# Recipes of strangers


def stranger(folder: Path, name: str = "evil.png", **options: Any) -> Path:
    """A picture with a recipe that somebody else wrote."""
    known = {"class": ["goldfish"], "net": "tiny.cfg", "size": "32x32", "iters": 1, **options}
    path = folder / name
    recipes.write_picture(Image.new("RGB", (8, 8)), path, Recipe("draw", known))
    return path


def test_a_shown_recipe_is_safe_to_follow(desk: Path, run: Run) -> None:
    (desk / "evil.py").write_text("import pathlib; pathlib.Path('owned').touch()")
    (desk / "mine.gif").write_text("mine")
    film = {"warps": "evil.py", "output": "mine.gif", "force": True, "from": "/etc"}
    recipe = Recipe("film", {"class": ["goldfish"], "net": "tiny.cfg", "frames": 1, **film})
    recipes.write_picture(Image.new("RGB", (8, 8)), desk / "evil.png", recipe)
    shown = run("show", "evil.png").output
    for name in film:
        assert f"\n# {name} = " in shown
    assert not set(film) & set(json.loads(run("show", "evil.png", "--json").output))
    (desk / "r.toml").write_text(shown)
    result = run("run", "r.toml", "--size", "32x32", "--iters", "1", "--octaves", "1")
    assert result.exit_code == 0, result.output
    assert not (desk / "owned").exists()
    assert (desk / "mine.gif").read_text() == "mine"


def test_no_recipe_forces_or_runs_code_unless_that_is_typed(desk: Path, run: Run) -> None:
    (desk / "w.py").write_text("import pathlib; pathlib.Path('owned').touch()")
    (desk / "out.gif").write_text("mine")
    (desk / "r.toml").write_text(
        'command = "film"\nclass = "goldfish"\nnet = "tiny.cfg"\nframes = 1\niters = 1\n'
        'size = "32x32"\nwarps = "w.py"\noutput = "out.gif"\nforce = true\n'
    )
    assert "was made with Python code in w.py" in refusal(run, "run", "r.toml")
    assert "out.gif exists" in refusal(run, "run", "r.toml", "--warps", "w.py")
    assert (desk / "out.gif").read_text() == "mine"
    assert run("run", "r.toml", "--warps", "w.py", "--force").exit_code == 0
    assert (desk / "owned").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("base", ["/etc/passwd"]),
        ("base", ["../photo.png"]),
        ("names", "/dev/zero"),
        ("weights", "..\\tiny.weights"),
        ("net", "/tmp/evil.cfg"),
        ("mask", "C:\\mask.png"),
        ("guide", "//server/share.png"),
        ("class", ["goldfish@/etc/mask.png"]),
        ("mix", "../../mix.toml"),
        ("preset", "/etc/p.toml"),
        ("base", ["*.png"]),
        ("base", ["away.png"]),
        ("at", [["1", "mask = /etc/mask.png"]]),
        ("at", [["1", "strength=1;erase\t=\t../mask.png"]]),
        ("at", [["1", "class=goldfish+tench@/etc/mask.png"]]),
        ("layer", ["0@/etc/mask.png"]),
    ],
)
def test_a_picture_names_no_file_that_lies_elsewhere(
    desk: Path, run: Run, option: str, value: Any
) -> None:
    (desk / "away.png").symlink_to("/etc/passwd")
    chosen: dict[str, Any] = {option: value}
    stranger(desk, **chosen)
    for command in ("redo", "run"):
        said = refusal(run, command, "evil.png")
        assert "does not lie here or beside it" in said
        assert "give" in said


def test_a_mix_beside_a_picture_reads_no_mask_elsewhere(desk: Path, run: Run) -> None:
    (desk / "mix.toml").write_text('"goldfish@/etc/mask.png" = 1\n')
    stranger(desk, mix="mix.toml")
    assert "the mask /etc/mask.png does not lie here or below" in refusal(run, "redo", "evil.png")


def test_a_file_that_is_gone_can_be_given_again(desk: Path, run: Run) -> None:
    stranger(desk, base=["gone.png"])
    said = refusal(run, "redo", "evil.png")
    assert "names gone.png, which is neither beside it, in " in said
    assert f"nor here, in {desk}: give gone.png again" in said


def test_a_file_elsewhere_can_be_given_again(desk: Path, run: Run) -> None:
    (desk / "there").mkdir()
    (desk / "photo.v2.png").rename(desk / "there" / "photo.png")
    stranger(desk, base=["/somewhere/photo.png"])
    words = ("--tile-size", "32", "--octaves", "1", "--device", "cpu")
    assert run("redo", "evil.png", "there/photo.png", *words).exit_code == 0


def test_a_picture_does_not_tell_where_its_owner_keeps_files(desk: Path, run: Run) -> None:
    (desk / "private").mkdir()
    os.chdir(desk / "private")
    base = str(desk / "photo.v2.png")
    words = ("draw", base, "--net", str(desk / "tiny.cfg"), *QUICK[3:])
    assert run(*words, "-o", "a.png", "--seed", "1").exit_code == 0
    told = recipes.read(desk / "private" / "a.png")
    assert told.options["base"] == "photo.v2.png"
    assert told.options["net"] == "tiny.cfg"
    assert str(desk) not in told.toml()
    assert run(*words, "-o", "b.png", "--seed", "1", "--no-recipe").exit_code == 0
    assert "holds no recipe" in refusal(run, "show", "b.png")
    with Image.open("a.png") as one, Image.open("b.png") as other:
        assert one.tobytes() == other.tobytes()


# Terminals


def test_no_text_from_outside_commands_the_terminal(desk: Path, run: Run) -> None:
    write_net(desk, CLASSIFIER, stem="evil", names=[*CLASS_NAMES[:4], f"cat{ESCAPE}"])
    (desk / "bad.cfg").write_text(f"[net]\nwidth=8\nheight=8\n[{ESCAPE}]\n")
    (desk / "worse.cfg").write_text(f"[net]\nwidth={ESCAPE}\nheight=8\n[maxpool]\n")
    stranger(desk, "base.png", base=[f"no{ESCAPE}.png"])
    stranger(desk, "net.png", net=f"no{ESCAPE}")
    stranger(desk, "warps.png", warps=f"no{ESCAPE}.py")
    odd: dict[str, Any] = {f"odd{ESCAPE}": 1}
    stranger(desk, "odd.png", **odd)
    recipes.write_picture(
        Image.new("RGB", (8, 8)), desk / "command.png", Recipe(f"no{ESCAPE}", {"a": ESCAPE})
    )
    (desk / f"n{ESCAPE}.png").write_bytes((desk / "photo.v2.png").read_bytes())
    commands = [
        *("classes evil.cfg", "classify evil.cfg photo.v2.png", "layers bad.cfg"),
        *("layers worse.cfg", "show base.png", "redo base.png", "redo net.png", "redo warps.png"),
        *("redo odd.png", "run command.png", "show command.png", f"show no{ESCAPE}.png"),
        *(f"classify tiny.cfg no{ESCAPE}", f"classes {ESCAPE}", f"models {ESCAPE}"),
        f"draw n{ESCAPE}.png {' '.join(QUICK[1:])}",
        f"draw n{ESCAPE}.png {' '.join(QUICK[1:])} -v",
    ]
    for command in commands:
        result = run(*command.split(" "))
        assert "\x1b" not in result.output, command
        assert "\x07" not in result.output, command


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems take only names in UTF-8")
@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1:strict"}])
def test_any_file_name_is_printed_on_any_terminal(
    desk: Path, start: Start, locale: dict[str, str]
) -> None:
    odd = os.fsdecode(b"o\xff\xc3\xa9\xe2\x98\x83\xf0\x9f\x98\x80\n.png")
    (desk / "photo.v2.png").rename(desk / odd)
    process = start(
        [*LUCID, *QUICK, odd],
        **{"cwd": desk, "env": {**os.environ, **locale}, "stdout": subprocess.PIPE},
        **{"stderr": subprocess.STDOUT, "encoding": "latin-1"},
    )
    output = process.communicate()[0]
    assert process.returncode == 0, output
    assert len(output.splitlines()) == 2  # what is painted, and what was written
    assert list(desk.glob("o*_goldfish_0000.png"))


# Small machines

RUN_ALL = """
import json
from lucid.cli import main
for words in json.loads(sys.argv[1]):
    main(words, standalone_mode=False)
"""
"""Runs several commands in one process."""


@pytest.mark.slow
def test_nothing_is_sent_anywhere(desk: Path, start: Start) -> None:
    code = (
        "import sys\n"
        "def hook(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'urllib.Request'):\n"
        "        print(event, arguments, file=sys.stderr)\n"
        "sys.addaudithook(hook)\n"
        f"{RUN_ALL}"
    )
    commands = [QUICK, ("classify", "lucid64", "photo.v2.png"), ("models",), ("doctor",)]
    command = [sys.executable, "-c", code, json.dumps(commands)]
    process = start(command, cwd=desk, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert set(process.communicate()[1].splitlines()) <= {"painting goldfish (0)"}
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits its own memory")
def test_too_little_memory_is_one_line(desk: Path, start: Start) -> None:
    Image.new("RGB", (6000, 6000)).save(desk / "big.png")
    code = (
        "import resource, torch, torchvision, lucid.drawing.loop; from lucid.cli import main\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * 4096 + 300 * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
        "main()"
    )
    command = [sys.executable, "-c", code, *QUICK, "big.png", "--size", "3000x3000"]
    process = start(command, cwd=desk, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.communicate()[0]
    assert process.returncode == 1, output
    assert len(output.splitlines()) == 1, output
    assert "memory" in output


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs another user")
def test_a_user_without_a_home_draws(desk: Path, start: Start) -> None:
    # `~` leads nowhere: no $HOME, and an id that the system does not know.
    code = (
        "import os, pwd, sys\n"
        "def unknown(*_): raise KeyError('unknown')\n"
        "pwd.getpwuid = pwd.getpwnam = unknown\n"
        f"{RUN_ALL}"
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HOME", "LUCID_CACHE", "XDG_CACHE_HOME", "TORCH_HOME")
    }
    commands = [QUICK, ("models",), ("classify", "tiny.cfg", "photo.v2.png")]
    process = start(
        [sys.executable, "-c", code, json.dumps(commands)],
        **{"cwd": desk, "env": environment, "stdout": subprocess.PIPE},
        stderr=subprocess.STDOUT,
    )
    output = process.communicate()[0]
    assert process.returncode == 0, output


def test_a_mistake_of_lucids_own_is_reported(
    desk: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lucid.nets import registry

    def fail(*_: object) -> None:
        raise ZeroDivisionError(f"{Path.home()}\x1b")

    monkeypatch.setattr(registry, "_find", fail)
    result = run("classes", "tiny.cfg")
    assert result.exit_code == 70
    assert len(result.output.splitlines()) == 1
    assert "this is a mistake in lucid" in result.output
    report = (desk / "cache" / "lucid_crash.txt").read_text()
    assert "ZeroDivisionError: ~" in report
    assert str(Path.home()) not in report
    shown = CliRunner().invoke(main, ["--debug", "classes", "tiny.cfg"])
    assert isinstance(shown.exception, ZeroDivisionError)
