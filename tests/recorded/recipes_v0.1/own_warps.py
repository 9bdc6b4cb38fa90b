from lucid.warps import warp


@warp
def darker(image, frame, generator, share: float):
    """By a share."""
    return image * (1 - share)
