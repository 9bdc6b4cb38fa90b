"""Measure how much dreams on a video flicker.

    python examples/flicker.py photo.jpg

Makes a video with known motion by panning and rotating a camera over a photograph; dreams on the
video twice, each frame by itself and with the dream moved along; and prints the flicker of each:
the mean absolute difference of neighbouring frames without their motion, in 255ths. The video
itself flickers a little too, because of resampling.
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

from lucid.drawing.targets import classes
from lucid.errors import LucidError
from lucid.films.keyframes import Keyframes
from lucid.films.optical_flow import Flow
from lucid.films.video_dream import dream_over
from lucid.imaging import Size
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import from_pil, read_image, to_pil, write_image
from lucid.nets.registry import load


def camera_frames(photo: Tensor, frames: int, size: Size, pan: float, turn: float) -> list[Tensor]:
    """Render what a camera sees that moves to the right over a photograph and rotates.

    Args:
        photo: (3, height, width), 0..1; its centre is the centre of the first frame.
        frames: number of frames.
        size: height and width of a frame in pixels.
        pan: motion between two frames in pixels.
        turn: rotation between two frames in degrees.

    Returns:
        The frames, (3, *size), 0..1.
    """
    rendered: list[Tensor] = []
    for frame in range(frames):
        x, y = _photo_positions(size, pan * frame, math.radians(turn) * frame)
        grid = torch.stack([x * 2 / photo.shape[2], y * 2 / photo.shape[1]], -1)[None]
        rendered += F.grid_sample(photo[None], grid, padding_mode="reflection", align_corners=False)
    return rendered


def camera_flows(frames: int, size: Size, pan: float, turn: float) -> list[Flow]:
    """Compute the motion between neighbouring frames of ``camera_frames``.

    Args:
        frames: number of frames.
        size: height and width of a frame in pixels.
        pan: motion between two frames in pixels.
        turn: rotation between two frames in degrees.

    Returns:
        The motion from each frame to the next.
    """
    height, width = size
    x, y = _pixel_positions(size)
    flows = []
    for frame in range(1, frames):
        # From a pixel to its position in the photograph, and on to its pixel in the last frame.
        photo_x, photo_y = _photo_positions(size, pan * frame, math.radians(turn) * frame)
        photo_x, angle = photo_x - pan * (frame - 1), math.radians(turn) * (frame - 1)
        last_x = math.cos(angle) * photo_x + math.sin(angle) * photo_y
        last_y = math.cos(angle) * photo_y - math.sin(angle) * photo_x
        valid = (last_x.abs() < (width - 1) / 2) & (last_y.abs() < (height - 1) / 2)
        flows.append(Flow(torch.stack([last_x - x, last_y - y]), valid.float()))
    return flows


def _pixel_positions(size: Size) -> tuple[Tensor, Tensor]:
    """The x (width,) and y (height, 1) of each pixel, in pixels from the centre of the frame."""
    height, width = size
    return torch.arange(width) - (width - 1) / 2, torch.arange(height)[:, None] - (height - 1) / 2


def _photo_positions(size: Size, shift: float, angle: float) -> tuple[Tensor, Tensor]:
    """The x and y in the photograph that each pixel of a frame shows, in pixels from its centre."""
    x, y = _pixel_positions(size)
    photo_x = math.cos(angle) * x - math.sin(angle) * y + shift
    return photo_x, math.sin(angle) * x + math.cos(angle) * y


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("photo", type=click.Path(path_type=Path))
@click.option("--net", "net_name", default="lucid64", show_default=True)
@click.option("--class", "class_name", default="tabby", show_default=True)
@click.option("--frames", default=12, show_default=True)
@click.option("--side", default=224, show_default=True, help="Side of each frame, in pixels.")
@click.option("--pan", default=3.0, show_default=True, help="Pixels a frame.")
@click.option("--turn", default=0.5, show_default=True, help="Degrees a frame.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Write all frames to this file.")
def main(
    photo: Path,
    net_name: str,
    class_name: str,
    frames: int,
    side: int,
    pan: float,
    turn: float,
    sheet: Path | None,
) -> None:
    net = load(net_name)
    keyframes = Keyframes({0: classes(net, [class_name])})
    motion = (frames, (side, side), pan, turn)
    flows = camera_flows(*motion)
    footage = [to_pil(frame) for frame in camera_frames(read_image(photo), *motion)]
    films = {
        "the video": footage,
        "each by itself": list(dream_over(net, keyframes, footage, flow=False)),
        "moved along": list(dream_over(net, keyframes, footage)),
    }
    for name, film in films.items():
        amount = 255 * flicker([from_pil(frame) for frame in film], flows)
        click.echo(f"{name:<16} {amount:.2f}")
    if sheet:
        rows = [frame for film in films.values() for frame in film]
        write_image(contact_sheet(rows, columns=frames), sheet)


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
