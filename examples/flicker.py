"""How much do dreams on a video flicker?

    python examples/flicker.py photo.jpg

Makes a video of which every motion is known, by panning and turning a photograph; dreams
on it twice, each frame by itself and with the dream moved along; and prints the flicker of
each: the mean absolute difference of neighbouring frames once their motion is undone, in
255ths. The video itself has some too, from resampling.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click
import torch
import torch.nn.functional as F
from metrics import flicker
from torch import Tensor

from lucid.drawing.loop import classes
from lucid.errors import LucidError
from lucid.films.keyframes import Keyframes
from lucid.films.optical_flow import Flow
from lucid.films.video_dream import dream_over
from lucid.imaging import Size
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import from_pil, read_image, to_pil, write_image
from lucid.nets.registry import load


def camera(photo: Tensor, frames: int, size: Size, pan: float, turn: float) -> list[Tensor]:
    """What a camera sees that pans over a photograph and turns."""
    return [_look(photo, size, *_place(frame, pan, turn)) for frame in range(frames)]


def motions(frames: int, size: Size, pan: float, turn: float) -> list[Flow]:
    """How things move from each of its frames to the next."""
    height, width = size
    x, y = _pixels(size)
    flows = []
    for frame in range(1, frames):
        # From a pixel to the place it shows, and from there to the pixel that showed it before.
        across, down = _shown(size, *_place(frame, pan, turn))
        before, angle = _place(frame - 1, pan, turn)
        across = across - before
        back_x = math.cos(angle) * across + math.sin(angle) * down
        back_y = math.cos(angle) * down - math.sin(angle) * across
        seen = (back_x.abs() < (width - 1) / 2) & (back_y.abs() < (height - 1) / 2)
        flows.append(Flow(torch.stack([back_x - x, back_y - y]), seen.float()))
    return flows


def _place(frame: int, pan: float, turn: float) -> tuple[float, float]:
    """Where the camera stands, in pixels, and how it is turned, in radians."""
    return pan * frame, math.radians(turn) * frame


def _pixels(size: Size) -> tuple[Tensor, Tensor]:
    """Of each pixel, how far right of the middle and how far below it lies."""
    height, width = size
    return torch.arange(width) - (width - 1) / 2, torch.arange(height)[:, None] - (height - 1) / 2


def _shown(size: Size, shift: float, angle: float) -> tuple[Tensor, Tensor]:
    """The places of the photograph, from its middle, that a camera shows."""
    x, y = _pixels(size)
    across = math.cos(angle) * x - math.sin(angle) * y + shift
    return across, math.sin(angle) * x + math.cos(angle) * y


def _look(photo: Tensor, size: Size, shift: float, angle: float) -> Tensor:
    across, down = _shown(size, shift, angle)
    grid = torch.stack([across * 2 / photo.shape[2], down * 2 / photo.shape[1]], -1)
    return F.grid_sample(photo[None], grid[None], padding_mode="reflection", align_corners=False)[0]


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("photo", type=click.Path(path_type=Path))
@click.option("--net", "net_name", default="lucid64", show_default=True)
@click.option("--class", "wanted", default="tabby", show_default=True)
@click.option("--frames", default=12, show_default=True)
@click.option("--side", default=224, show_default=True, help="Of each frame, in pixels.")
@click.option("--pan", default=3.0, show_default=True, help="Pixels a frame.")
@click.option("--turn", default=0.5, show_default=True, help="Degrees a frame.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Where to write all frames.")
def main(
    photo: Path,
    net_name: str,
    wanted: str,
    frames: int,
    side: int,
    pan: float,
    turn: float,
    sheet: Path | None,
) -> None:
    net = load(net_name)
    script = Keyframes({0: classes(net, [wanted])})
    video = camera(read_image(photo), frames, (side, side), pan, turn)
    flows = motions(frames, (side, side), pan, turn)
    footage = [to_pil(frame) for frame in video]
    shown = {
        "the video": footage,
        "each by itself": list(dream_over(net, script, footage, flow=False)),
        "moved along": list(dream_over(net, script, footage)),
    }
    for name, pictures in shown.items():
        amount = 255 * flicker([from_pil(picture) for picture in pictures], flows)
        click.echo(f"{name:<16} {amount:.2f}")
    if sheet:
        rows = [picture for pictures in shown.values() for picture in pictures]
        write_image(contact_sheet(rows, columns=frames), sheet)


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
