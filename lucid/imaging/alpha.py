"""Transparency: that of a base becomes that of what is painted on it."""

from __future__ import annotations

from PIL import Image, ImageChops

from lucid.imaging.fit import fit_image
from lucid.imaging.io import from_pil, to_pil


def put_alpha(picture: Image.Image, alpha: Image.Image, fit: str) -> None:
    """Make a picture as transparent as its base, besides what is transparent already.

    Args:
        picture: RGB or RGBA.
        alpha: the base's alpha channel, of mode ``L``, at its own size.
        fit: how the base was brought to the picture's size.
    """
    size = picture.height, picture.width
    fitted = fit_image(from_pil(alpha.convert("RGB")), size, fit)
    opacity = to_pil(fitted).convert("L").resize(picture.size)
    if picture.mode == "RGBA":
        opacity = ImageChops.multiply(opacity, picture.getchannel("A"))
    picture.putalpha(opacity)
