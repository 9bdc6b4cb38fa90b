"""Hyperparameters of a drawing, its octaves and passes, and their defaults for each kind of net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lucid.core.ascent import Step, View
from lucid.core.objectives import Objective
from lucid.core.transforms import Transform
from lucid.errors import LARGEST, UsageError
from lucid.nets.net import LOGITS, Net
from lucid.tiling.tiles import Tiling

CPPN_LR = 0.003
"""Step size of the weights of a ``CPPNCanvas``."""

TILE = 224
"""The default side of a tile, in pixels: what most of ImageNet's nets are trained at."""

SMALL = 96
"""Nets that were trained at less than this, in pixels, have hyperparameters of their own."""

CANVASES = ("fourier", "pixels", "phase", "cppn")
OPTIMIZERS = ("adam", "deepdream")
DETAIL_SPACES = ("logits", "pixels")


@dataclass(frozen=True)
class OctaveConfig:
    """Hyperparameters of one octave. A pair is a value at the first pass and one at the last.

    Attributes:
        iterations: passes over the picture.
        lr: step size of the optimizer.
        blur: after each pass, standard deviation of a Gaussian, in pixels.
        scale: how much larger the octave is than the one before.
        detail: whether only detail is painted, finer than the octave before could show.
        layer: the classifier whose scores classes maximise, as the net or Caffe names it; None for
            the net's own (deepdraw's late octaves climb GoogLeNet's auxiliary ones).
    """

    iterations: int
    lr: tuple[float, float]
    blur: tuple[float, float] = (0, 0)
    scale: float = 1.4
    detail: bool = False
    layer: str | None = None


@dataclass(frozen=True)
class DrawConfig:
    """Hyperparameters of a drawing.

    Attributes:
        octaves: how many sizes to paint at; None for as many as lead up from the size that the
            net was trained at.
        octave_scale: how much larger each octave is than the one before.
        iterations: passes over the picture at each octave.
        first_octave_factor: factor of the iterations at the first octave, where shapes form.
        last_octave_factor: factor of the iterations at the last octave.
        lr: step size of the optimizer.
        octave_configs: the octaves one by one, in place of the six above.
        canvas: ``fourier``, ``pixels`` or ``phase`` (see ``lucid.core.canvas``), or ``cppn``
            (``lucid.core.cppn``).
        optimizer: ``adam``; or ``deepdream`` (``DeepDreamStep``), for the canvas ``pixels``.
        decay_power: of ``FourierCanvas``: amplitudes fall with frequency to this power.
        variety: of ``FourierCanvas``: contrast of the broad random shapes that a picture from noise
            starts with, where 1 is that of photographs. The more, the less pictures by several
            seeds resemble each other.
        background: mean grey of the noise that the canvas ``pixels`` starts from, 0..1.
        max_angle: largest rotation of what the net is shown, in radians.
        scale: smallest and largest scale of what the net is shown.
        shift: largest shift of what the net is shown, as a fraction of its side.
        tint: largest change of each colour of what the net is shown, as a factor of 1 plus or minus
            this, plus or minus half of this.
        noise: standard deviation of Gaussian noise in what the net is shown, where pixels are 0..1.
        jitter: largest roll of the whole picture, in pixels.
        blur_sigmas: of ``DeepDreamStep``: blurred copies of the gradient that are added to it.
        blur: after each pass, standard deviation of a Gaussian, in pixels.
        tv_weight: weight of total variation, in units of a normalised gradient.
        tiled_tv_weight: the same for pictures of more than one tile, if it is more.
        log_prob_weight: of ``ClassLogits``, for a single class.
        mix_log_prob_weight: of ``ClassLogits``, for a mix. (Probabilities are among all classes;
            probabilities within the mix would let a third class in.)
        mix_cooldown: the cooldown (described below) of a mix, without which its last passes may
            decide which class wins.
        mix_last_octave_factor: factor of a mix's iterations at the last octave, for its cooldown.
        order: of the tiles, in place of the one asked for; None for that one.
        detail_space: ``logits`` or ``pixels``: in which space the last octave's change is added
            to a base.
        cooldown: the final fraction of the work in which the lr decays to 3 % and each tile is
            averaged over 8 mild augmentations: what is seen then is what stays.
        weight_decay: how fast what is painted fades to grey: after each pass it is multiplied by 1
            minus this times the lr (Loshchilov and Hutter, 2017); for photographs and layers.
        laplacian: levels of the Laplacian pyramid of the gradient whose bands are made equally
            strong; 0 for none.
        flip: whether half of what the net is shown is mirrored, at random.
        detail_iterations: passes at each octave that only adds detail.
        detail_lr: step size at its first pass; a tenth of that at its last.
        detail_decay_power: of ``FourierCanvas`` at these octaves.
        detail_tv_weight: weight of total variation at these octaves.
    """

    octaves: int | None = 4
    octave_scale: float = 1.4
    iterations: int = 48
    first_octave_factor: int = 1
    last_octave_factor: int = 1
    lr: float = 0.02
    octave_configs: tuple[OctaveConfig, ...] = ()
    canvas: str = "fourier"
    optimizer: str = "adam"
    decay_power: float = 1.2
    variety: float = 0.0
    background: float = 0.5
    max_angle: float = 0.3
    scale: tuple[float, float] = (0.7, 1.25)
    shift: float = 0.09
    tint: float = 0.0
    noise: float = 0.0
    jitter: int = 0
    blur_sigmas: tuple[float, ...] = ()
    blur: float = 0
    tv_weight: float = 0
    tiled_tv_weight: float = 0
    log_prob_weight: float = 4
    mix_log_prob_weight: float = 8
    mix_cooldown: float = 0.5
    mix_last_octave_factor: int = 2
    order: str | None = None
    detail_space: str = "logits"
    cooldown: float = 0
    weight_decay: float = 0
    laplacian: int = 0
    flip: bool = False
    detail_iterations: int = 8
    detail_lr: float = 0.12
    detail_decay_power: float = 0.7
    detail_tv_weight: float = 0.1

    def to_dict(self) -> dict[str, Any]:
        """Resolved settings as JSON-compatible values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            if value is not None and name != "octave_configs"
        }

    def __post_init__(self) -> None:
        for name, known in (
            ("canvas", CANVASES),
            ("optimizer", OPTIMIZERS),
            ("detail_space", DETAIL_SPACES),
        ):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} {getattr(self, name)!r} is not {' or '.join(known)}")
        for name, value in vars(self).items():
            for number in value if isinstance(value, tuple) else [value]:
                if isinstance(number, int | float) and not abs(number) <= LARGEST:
                    raise UsageError(f"{name} {number} is not a number up to {LARGEST:.0f}")
        if self.optimizer == "deepdream" and self.canvas != "pixels":
            raise UsageError("the optimizer deepdream moves pixels: use it with the canvas pixels")
        blurs = self.blur or any(any(octave.blur) for octave in self.octave_configs)
        if self.canvas == "phase" and self.weight_decay:
            raise UsageError("phases do not decay: use the canvas fourier or pixels")
        if self.canvas in ("phase", "cppn") and blurs:
            what = "phases cannot" if self.canvas == "phase" else "a CPPN cannot"
            raise UsageError(f"{what} be blurred: use the canvas fourier or pixels")


@dataclass(frozen=True)
class PassSettings:
    """Settings of one pass, computed from the configuration.

    Attributes:
        lr: step size of the optimizer.
        blur: standard deviation of a Gaussian after the pass, in pixels.
        tiling: how the octave is cut into tiles.
        transforms: one sequence of transforms for each augmented view of a tile.
        tv_weight: weight of total variation.
        blur_sigmas: of ``DeepDreamStep``.
        laplacian: of ``Step``.
        redirect: of ``Step``: of the first passes.
        high_pass: of ``Step``: only detail finer than this changes, in pixels.
    """

    lr: float
    blur: float
    tiling: Tiling
    transforms: Sequence[Sequence[Transform]]
    tv_weight: float
    blur_sigmas: Sequence[float] = ()
    laplacian: int = 0
    redirect: bool = False
    high_pass: float = 0

    def step(self, view: View, objective: Objective) -> Step:
        """Make a step of the pass."""
        return Step(
            *(view, objective, self.transforms),
            normalize_grad=True,
            tv_weight=self.tv_weight,
            laplacian=self.laplacian,
            redirect=self.redirect and objective.layers != {LOGITS},
            high_pass=self.high_pass,
        )


# Most nets. Found by eye on SqueezeNet at 224 to 768 pixels. A photograph is half the way to a
# picture of the class already, and would vanish at the number of iterations that noise needs.
FROM_NOISE = DrawConfig()
ON_A_BASE = replace(FROM_NOISE, iterations=24, decay_power=1.1)


def _on_a_base(config: DrawConfig) -> DrawConfig:
    """Hyperparameters of a smaller net from noise, changed to suit a base."""
    return replace(
        config,
        octaves=4,
        iterations=24,
        first_octave_factor=1,
        decay_power=1.1,
        tint=0.0,
        noise=0.0,
    )


# Nets trained at less than 96 pixels. Found by eye on lucid64, which paints whole things at its
# own size, then their parts (docs/lucid64.md says how). Pictures of more than one tile would grow
# specks of static here and there without total variation. Tint and noise were chosen by what
# SqueezeNet recognises and by eye (docs/architecture.md); on a base they were not tried.
SMALL_FROM_NOISE = DrawConfig(
    octaves=None,
    iterations=32,
    first_octave_factor=3,
    lr=0.01,
    variety=1.0,
    max_angle=0.15,
    scale=(0.85, 1.1),
    tint=0.15,
    noise=0.03,
    tiled_tv_weight=0.05,
    log_prob_weight=2,
    mix_log_prob_weight=20,
)
SMALL_ON_A_BASE = _on_a_base(SMALL_FROM_NOISE)

# Nets trained at 96 to 223 pixels. Found on lucid1000, by eye and by SqueezeNet: with the angles
# and scales of smaller nets, things were named less often and had rings; with more variety they
# were cut off at the border; with lr 0.006, and with a decay power of 1.2, they were pale. Mixes
# with the cooldown of other nets took more than twice the time, and were hardly better
# (docs/architecture.md has the figures).
MEDIUM_FROM_NOISE = replace(
    SMALL_FROM_NOISE,
    decay_power=1.5,
    variety=0.5,
    max_angle=0.3,
    scale=(0.7, 1.25),
    tint=0.0,
    noise=0.0,
    tv_weight=0.15,
    mix_log_prob_weight=50,
    mix_cooldown=0,
    mix_last_octave_factor=1,
)
MEDIUM_ON_A_BASE = _on_a_base(MEDIUM_FROM_NOISE)

DEFAULTS = {
    ("small", False): SMALL_FROM_NOISE,
    ("small", True): SMALL_ON_A_BASE,
    ("medium", False): MEDIUM_FROM_NOISE,
    ("medium", True): MEDIUM_ON_A_BASE,
    ("large", False): FROM_NOISE,
    ("large", True): ON_A_BASE,
}
"""By the size that a net was trained at, and whether there is a base."""


def default_config(net: Net, *, on_base: bool) -> DrawConfig:
    """The hyperparameters that suit a net, from noise or on a base."""
    side = max(net.input_size)
    size = "small" if side < SMALL else "medium" if side < TILE else "large"
    return DEFAULTS[size, on_base]


def on_canvas(config: DrawConfig, canvas: str) -> DrawConfig:
    """Hyperparameters of Fourier coefficients, changed to suit another canvas. Found by eye."""
    if canvas == "pixels":
        return replace(
            config,
            canvas=canvas,
            optimizer="deepdream",
            lr=0.008,
            blur_sigmas=(1, 2, 4),
            detail_lr=0.008,
        )
    if canvas == "cppn":
        # One octave: a network cannot start from the octave before. Found by eye: with the angles
        # and scales of other canvases, pictures are a few blurred fields.
        return replace(
            config,
            canvas=canvas,
            octaves=1,
            iterations=config.iterations * (config.octaves or 4),
            first_octave_factor=1,
            lr=CPPN_LR,
            max_angle=0.05,
            scale=(0.95, 1.05),
            shift=0.03,
        )
    if canvas == "phase":
        return replace(config, canvas=canvas, lr=0.1, detail_lr=0.1)
    return replace(config, canvas=canvas)
