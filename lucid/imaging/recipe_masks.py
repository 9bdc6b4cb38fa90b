"""Masks that a recipe holds itself: small pictures, named by their hash."""

from __future__ import annotations

import base64
import hashlib
import io
import re

from PIL import Image
from torch import Tensor

from lucid.errors import LucidError
from lucid.imaging.io import from_pil, to_pil

HELD = "sha256:"
"""What names of masks begin with that a recipe holds: the hash of their bytes follows."""

HELD_NAME = re.compile(rf"{HELD}[0-9a-f]{{64}}")
"""Such a name."""

GREYS = 33
"""Grey levels of a mask that a recipe holds: few, so that it is small."""

MAX_HELD = 512
"""The longest side of a mask that a recipe holds, in pixels."""


def encode_mask(mask: Tensor) -> tuple[str, str]:
    """Encode a mask for a recipe.

    Args:
        mask: (height, width), 0..1; made smaller if a side is longer than ``MAX_HELD``.

    Returns:
        Its name, ``sha256:`` and the hash of a PNG file, and that file in base64.
    """
    height, width = mask.shape
    share = min(1, MAX_HELD / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    levels = (mask * (GREYS - 1)).round() * (255 / (GREYS - 1))
    image = to_pil(levels.expand(3, -1, -1) / 255).convert("L").resize(size, Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "PNG")
    digest = hashlib.sha256(file.getvalue()).hexdigest()
    return HELD + digest, base64.b64encode(file.getvalue()).decode()


def decode_text(text: str) -> bytes:
    """The bytes of a mask's PNG file.

    Raises:
        LucidError: the text is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise LucidError(f"a mask of the recipe cannot be read ({error})") from error


def decode_mask(text: str) -> Tensor:
    """Decode a mask of a recipe, (height, width), 0..1.

    Raises:
        LucidError: that is no mask, or one of more than ``MAX_HELD`` pixels a side.
    """
    try:
        with Image.open(io.BytesIO(decode_text(text)), formats=["PNG"]) as image:
            if max(image.size) > MAX_HELD:
                raise ValueError(f"{image.width}x{image.height} pixels")
            return from_pil(image.convert("RGB"))[0].clone()  # without the other channels
    except (ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise LucidError(f"a mask of the recipe cannot be read ({error})") from error
