"""Which channels of a layer a picture excites, and which of them a class is read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Unpack

import torch
from PIL import Image
from torch import Tensor

from lucid.core.ascent import Ascent
from lucid.core.device import Runtime, RuntimeOptions, resolve_runtime
from lucid.drawing.diverse import diversity_layer
from lucid.drawing.feature_sheet import draw_channel
from lucid.drawing.options import DrawOptions
from lucid.drawing.targets import resolve_class
from lucid.errors import UsageError
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import Picture, center_crop_resize, to_pil, to_tensor
from lucid.nets.net import LOGITS
from lucid.nets.registry import NetLike, to_net

RANKS = ("strongest", "weakest", "average")


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def attribute(
    net: NetLike,
    picture: Picture,
    class_name: str | int,
    layer: str | None = None,
    *,
    runtime: Runtime | None = None,
    **legacy: Unpack[RuntimeOptions],
) -> Tensor:
    """How much each channel of a layer adds to a class's score: gradient times activation.

    From Olah et al., "The Building Blocks of Interpretability", 2018.

    Args:
        net: a net with classes.
        picture: a file, a Pillow image, or (3, height, width), RGB, 0..1; its middle is shown to
            the net, at the net's own size.
        class_name: the class, or a group, of which the likeliest class counts.
        layer: whose channels; None for the last with features that are no classes.
        runtime: where to run the net; always in single precision.
        legacy: version 0.1's ``device`` and ``precision``.

    Returns:
        (channels,): what each channel adds to the score, in units of the score, on the CPU. Of a
        net whose later layers are linear, the sum is the score.

    Raises:
        UsageError: the net has no such class or layer, or does not read its classes from the layer.

    >>> import lucid
    >>> lion = lucid.draw("lucid64", "lion", size=64, iterations=1)
    >>> lucid.attribute("lucid64", lion, "lion").shape
    torch.Size([512])
    """
    net = to_net(net)
    name = net.resolve_layer(layer) if layer else diversity_layer(net)
    found = resolve_class(net, str(class_name))
    numbers = [found] if isinstance(found, int) else list(found)
    # Other formats are cast back, on a branch that no gradient of the score passes.
    ascent = Ascent(net, replace(resolve_runtime(runtime, legacy), precision="fp32"))
    shown = center_crop_resize(to_tensor(picture), net.input_size)[None].to(ascent.device)
    activations = ascent.forward(shown.requires_grad_(), [name, LOGITS])
    score = activations[LOGITS][0, numbers].max()
    (grad,) = torch.autograd.grad(score, activations[name], allow_unused=True)
    if grad is None:
        raise UsageError(f"{net.name} does not read its classes from layer {layer or name}")
    return (grad * activations[name])[0].flatten(1).sum(1).detach().cpu()


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def explain(
    net: NetLike,
    picture: Picture,
    class_name: str | int | None = None,
    layer: str | None = None,
    *,
    count: int = 8,
    side: int = 128,
    seed: int = 0,
    runtime: Runtime | None = None,
    watch: Callable[[str, Image.Image], object] | None = None,
) -> tuple[Image.Image, str]:
    """Draw the channels that add most to a class's score, beside the picture.

    Args:
        net: a net with classes.
        picture: a file, a Pillow image, or (3, height, width), RGB, 0..1.
        class_name: the class; None for the likeliest.
        layer: whose channels; None for the last with features that are no classes.
        count: of channels.
        side: of each small picture, in pixels.
        seed: of each.
        runtime: where and how to run the net.
        watch: called with the caption and the picture of each channel after it is drawn.

    Returns:
        A sheet: the picture, then the channels, with what each adds to the score; and a line that
        says what was explained.

    Raises:
        UsageError: the net has no such class or layer, or does not read its classes from the layer.
    """
    net = to_net(net)
    net.require_classes()
    shown = center_crop_resize(to_tensor(picture), net.input_size)
    device = next(net.parameters(), torch.empty(0)).device
    likelihoods = net.probabilities(shown[None].to(device))[0]
    found = int(likelihoods.argmax()) if class_name is None else resolve_class(net, str(class_name))
    numbers = [found] if isinstance(found, int) else list(found)
    number = max(numbers, key=lambda each: float(likelihoods[each]))
    layer = layer or diversity_layer(net)
    added = attribute(net, picture, number, layer, runtime=runtime)
    strongest = added.argsort(descending=True)[:count].tolist()
    share, name = f"{float(likelihoods[number]):.1%}", net.resolve_layer(layer)
    pictures = [to_pil(shown).resize((side, side))]
    labels = [f"{net.classes[number]} {share}"]
    options: DrawOptions = {"size": (side, side), "seed": seed, "runtime": runtime}
    for channel in strongest:
        pictures.append(draw_channel(net, name, channel, options))
        labels.append(f"{layer}:{channel} {float(added[channel]):+.2g}")
        if watch:
            watch(labels[-1], pictures[-1])
    whole = f"{net.classes[number]} ({number}), {share}: channels of layer {layer} that add most"
    return contact_sheet(pictures, labels=labels), whole


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.no_grad()
def rank_channels(
    net: NetLike,
    layer: str,
    picture: Picture,
    rank: str = "strongest",
    count: int = 10,
    *,
    runtime: Runtime | None = None,
    **legacy: Unpack[RuntimeOptions],
) -> list[int]:
    """Find the channels of a layer that a picture excites most, or least.

    From neural-dream, which dreams of such channels alone.

    Args:
        net: any net.
        layer: whose channels.
        picture: a file, a Pillow image, or (3, height, width), RGB, 0..1.
        rank: ``strongest``, ``weakest``, or ``average``, those that come nearest to the mean.
        count: how many, 1 or more.
        runtime: where and how to run the net.
        legacy: version 0.1's ``device`` and ``precision``.

    Returns:
        Numbers of channels; the strongest, weakest or most average comes first. How strong one is,
        its mean absolute activation says.

    Raises:
        UsageError: the net has no such layer, the layer has fewer channels, or there is no such
            rank.
    """
    if rank not in RANKS:
        raise UsageError(f"{rank!r} channels: give {', '.join(RANKS)}")
    net = to_net(net)
    name = net.resolve_layer(layer)
    ascent = Ascent(net, resolve_runtime(runtime, legacy))
    shown = to_tensor(picture)
    if not net.any_size or min(shown.shape[1:]) < min(net.input_size):
        shown = center_crop_resize(shown, net.input_size)
    features = ascent.forward(shown[None].to(ascent.device), [name])[name][0]
    strength = features.flatten(1).abs().mean(1).cpu()
    if not 1 <= count <= len(strength):
        raise UsageError(f"layer {layer} has {len(strength)} channels: give 1 to {len(strength)}")
    key = {
        "strongest": -strength,
        "weakest": strength,
        "average": (strength - strength.mean()).abs(),
    }[rank]
    return key.argsort(stable=True)[:count].tolist()
