"""``lucid album``: many pictures, on one machine or many. What it does is in ``album_job``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.click_types import COUNT
from lucid.cli.options import argument, flag, option, takes
from lucid.cli.sections import SectionedCommand


class AlbumCommand(SectionedCommand):
    """A command whose other options are those of the command that paints."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse options of one dash, which would be read as several of one letter."""
        for word in args:
            if word == "--":
                break
            if re.match(r"-[a-zA-Z]{2}", word) and not word.startswith(("-o", "-q", "-y")):
                raise click.UsageError(f"{word}: give two dashes, -{word}")
        return super().parse_args(ctx, args)


@dataclass(frozen=True, kw_only=True)
class AlbumArguments:
    """Arguments of ``lucid album``."""

    words: tuple[str, ...] = argument(
        nargs=-1, type=click.UNPROCESSED, metavar="[ALBUM.toml|FOLDER] [OPTIONS]"
    )
    command: str | None = option(
        "Command that makes each picture.  [default: draw]",
        type=click.Choice(["draw", "film", "nightmare", "sheet"]),
    )
    classes: tuple[str, ...] = option(
        "Classes, each of which gets pictures of its own: all, a group (birds), names or numbers "
        "with commas; lion+monarch is a mix.",
        "--classes",
        multiple=True,
        metavar="NAMES",
        shell_complete=completers.classes,
    )
    each: tuple[str, ...] = option(
        "Photographs or videos, each of which is painted on.", multiple=True, metavar="FILES"
    )
    vary: tuple[str, ...] = option(
        "Option of the command that takes several values, with commas, or with semicolons where "
        "values have commas: strength=.3,1,3.",
        multiple=True,
        metavar="NAME=VALUES",
    )
    seeds: str | None = option("Seeds of every picture: 0-2,7.", metavar="NUMBERS")
    suffix: str | None = option(
        "Suffix of the files.  [default: .png; of films .mp4, or .gif without PyAV]"
    )
    workers: int | None = option(
        "Number of processes that paint at the same time; without it, one for each GPU. Of "
        "--cluster slurm and the like, the number of jobs.",
        type=COUNT,
    )
    threads: int | None = option(
        "CPU threads of each worker. Without it, the machine's cores are shared out.", type=COUNT
    )
    cluster: str | None = option(
        "Dask scheduler whose workers paint: tcp://HOST:8786, or tls://…; or slurm, pbs, sge, lsf, "
        "oar or htcondor, whose jobs dask-jobqueue starts.",
        metavar="ADDRESS|QUEUE",
    )
    strict: bool = flag("Refuse workers that have another version of lucid or torch.")
    output: str | None = option(
        "Folder of the album, or a URL that fsspec knows, such as s3://BUCKET/FOLDER.",
        "-o",
        "--output",
        metavar="FOLDER|URL",
    )
    change: bool = flag(
        "Describe the album in -o anew. What both descriptions have is not painted again, and "
        "nothing is deleted."
    )
    retry_failed: bool = flag("Try again what has failed three times.")
    page: bool = flag(
        "Write a page of the pictures that are there, index.html. Behind a FOLDER, only that is "
        "done: also while the album is being painted."
    )
    sheet: tuple[Path, ...] = option(
        "Contact sheet of the pictures to write, .png or .pdf. Behind a FOLDER, only that is done.",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
    )
    force: bool = flag("Overwrite the contact sheet.")
    quiet: bool = flag("Print nothing but errors and failures.", "-q", "--quiet")
    yes: bool = flag("Do not ask before an album of more than 20,000 pictures.", "-y", "--yes")


SECTIONS = {
    "What to paint": ("command", "classes", "each", "vary", "seeds", "suffix"),
    "Machines": ("workers", "threads", "cluster", "strict"),
    "Output": ("output", "change", "retry_failed", "page", "sheet", "force", "quiet", "yes"),
}


@click.command(
    cls=AlbumCommand,
    sections=SECTIONS,
    context_settings={"ignore_unknown_options": True},
    options_metavar="",
)
@takes(AlbumArguments)
def album(arguments: AlbumArguments) -> None:
    """Paint many pictures: every combination of classes, seeds, photographs and settings.

    ALBUM.toml describes an album as a recipe does a picture; its [axes] are options of several
    values. FOLDER is an album that was begun: the same command goes on with what is missing, after
    a stop, with other --workers, or on a --cluster. All other options are those of the command that
    paints.

    \b
    lucid album --classes birds --seeds 0-2 --size 320x320 -o birds/
    lucid album --each "photos/*.jpg" --class monarch --vary strength=.5,1,2 -o dreams/
    lucid album night.toml -o night/ --workers 2
    lucid album night/ --cluster tcp://studio:8786
    lucid album night/ --page

    Exit code 3 says that some pictures failed: they are listed, and --retry-failed tries again.
    """
    from lucid.cli.album_job import run_command

    run_command(arguments)
