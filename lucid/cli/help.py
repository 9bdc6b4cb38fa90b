"""``lucid help``: what the words in the other commands' help texts mean."""

from __future__ import annotations

import click

from lucid.cli.console import echo
from lucid.cli.sections import SectionedCommand
from lucid.errors import nearest

TOPICS = {
    "base": (
        "The picture that is painted on. Without one, lucid begins with noise. The "
        "base's size and shape are kept unless --size says otherwise."
    ),
    "canvas": (
        "What is changed from step to step: the picture's Fourier coefficients "
        "(smooth), its pixels (sharp and noisy), or phases alone (MACO, with the "
        "contrast of photographs)."
    ),
    "class": (
        "What a net can tell apart and lucid can paint: goldfish, lion, teapot. `lucid "
        "classes lucid64` lists those of a net. Several are mixed: --class lion --class "
        "monarch."
    ),
    "feature": "What one channel of a layer responds to, at one place of the picture.",
    "film": (
        "A feedback loop: lucid dreams on a picture, warps it a little, and dreams on "
        "that again. Each round is a frame."
    ),
    "iters": "Passes at each octave: the more, the further the picture changes.",
    "layer": (
        "A stage of a net. Early layers (small numbers) respond to edges and textures, "
        "late ones to eyes, wheels and whole things. `lucid layers lucid64` lists those "
        "of a net."
    ),
    "mask": (
        "An image that is bright where the picture may change and black where it must "
        "not: --mask mask.png, or --mask top|bottom|left|right|center|sky."
    ),
    "net": (
        "The neural network that paints. lucid64 and lucid1000 ship with lucid; `lucid "
        "models` lists all."
    ),
    "octave": (
        "One of the sizes at which a picture is painted, from small to large: broad "
        "shapes come from the first, detail from the last. Each is 1.4 times as large "
        "as the one before."
    ),
    "pass": (
        "One turn in which every part of the picture is painted once. --iters is the "
        "number of passes at each octave."
    ),
    "recipe": (
        "How a picture was made: lucid keeps it in the file. `lucid show FILE` prints "
        "it, `lucid redo FILE` follows it again, with other options if you like."
    ),
    "ring": ("The tiles that lie equally far from the centre: --tiles spiral paints ring by ring."),
    "seed": (
        "The number that all random choices follow from. The same seed gives the same "
        "picture; another one, another picture of the same thing."
    ),
    "strength": "How far the picture is changed: a factor of the size of each step.",
    "subject": "How large one thing is in the picture. --subject .5: half of the shorter side.",
    "tile": (
        "The square that the net sees at once, 224x224 pixels for most nets. Larger "
        "pictures are painted in tiles that overlap, so that no seams show."
    ),
    "tv": (
        "Total variation: the mean difference between neighbouring pixels. --tv is the "
        "weight of a penalty on it, where 1 weighs as much as the gradient: .1 smooths "
        "a little, 1 a lot."
    ),
    "warp": (
        "A movement of the whole picture between two frames of a film: zoom, rotate, "
        "roll and more. `lucid film --list-warps` lists all."
    ),
}
"""What the words mean, in a sentence or two for somebody who paints."""


@click.command(cls=SectionedCommand, context_settings={"ignore_unknown_options": True})
@click.argument("word", required=False)
@click.pass_context
def help(ctx: click.Context, word: str | None) -> None:
    """Explain a WORD such as octave or tile, or a command.

    \b
    lucid help           list the words
    lucid help octave    what an octave is
    lucid help draw      the same as lucid draw --help
    """
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    if word is None:
        echo(f"lucid help WORD explains {', '.join(TOPICS)}")
        return
    name = word.lower().lstrip("-")
    known = [
        each for each in (name, name.removesuffix("s"), name.removesuffix("es")) if each in TOPICS
    ]
    if name in group.commands and name != "film":
        command = group.commands[name]
        with click.Context(command, info_name=name, parent=ctx.parent) as inner:
            click.echo(command.get_help(inner), color=ctx.color)
    elif known:
        click.echo(click.wrap_text(f"{known[0]}: {TOPICS[known[0]]}", width=78))
    else:
        raise click.UsageError(
            f"lucid help does not know {word!r}{nearest(name, [*TOPICS, *group.commands])}; "
            f"lucid help lists the words"
        )
