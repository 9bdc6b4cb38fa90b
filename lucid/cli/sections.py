"""Help texts with named sections: plain, or in rich-click's boxes in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

WIDTH = 100
"""The most columns of a help text."""

OTHERS = "Other options"
"""The title of options that are in no section."""

Sections = Mapping[str, Sequence[str]]
"""Names of a command's parameters, or of a group's commands, by the title that they stand under."""


class Sectioned(click.Command):
    """What commands and groups have in common whose help stands in sections.

    Attributes:
        sections: names of parameters, or of a group's commands, by title.
    """

    def __init__(self, *args: Any, sections: Sections | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.sections = sections or {}

    def get_help(self, ctx: click.Context) -> str:
        """Return the help text, as it suits standard output."""
        in_terminal = bool(sys.stdout and sys.stdout.isatty())
        return _rich_help(self, ctx) if in_terminal else super().get_help(ctx)


class SectionedCommand(Sectioned):
    """A command whose options stand in sections; those that are in none come last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list of options for each section."""
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        records = {each.name: each.get_help_record(ctx) for each in options}
        for title, names in _complete(self.sections, list(records)).items():
            rows = [row for name in names if (row := records.get(name))]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class SectionedGroup(Sectioned, click.Group):
    """A group whose commands stand in sections, each with its whole description."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list of commands for each section, then the options."""
        for title, names in _complete(self.sections, self.list_commands(ctx)).items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(WIDTH)) for name in names]
                )
        click.Command.format_options(self, ctx, formatter)


def _complete(sections: Sections, names: Sequence[str]) -> dict[str, list[str]]:
    """The sections, and one of the names that are in none."""
    listed = {name for each in sections.values() for name in each}
    others = [name for name in names if name not in listed]
    complete = {title: list(each) for title, each in sections.items()}
    return {**complete, OTHERS if sections else "Options": others} if others else complete


def _rich_help(command: Sectioned, ctx: click.Context) -> str:
    """Let rich-click write the help text of a command or group."""
    import rich_click

    panels: list[rich_click.RichPanel[Any, Any]] = []
    kind: type[rich_click.RichCommand] = rich_click.RichCommand
    settings: dict[str, Any] = {}
    for title, names in command.sections.items():
        if isinstance(command, click.Group):
            panels.append(rich_click.RichCommandPanel(title, commands=list(names)))
        else:
            panels.append(rich_click.RichOptionPanel(title, options=list(names)))
    if isinstance(command, click.Group):
        kind, settings = rich_click.RichGroup, {"commands": command.commands}
    rich = kind(
        name=command.name,
        params=command.params,
        help=command.help,
        options_metavar=command.options_metavar,
        panels=panels,
        **settings,
    )
    context = rich_click.RichContext(
        rich,
        info_name=ctx.info_name,
        parent=ctx.parent,
        help_option_names=ctx.help_option_names,
        rich_help_config=rich_click.RichHelpConfiguration(
            max_width=WIDTH,
            commands_before_options=True,
            options_panel_title=OTHERS if command.sections else "Options",
        ),
    )
    return rich.get_help(context)
