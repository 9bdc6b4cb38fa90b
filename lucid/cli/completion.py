"""``lucid completion``: scripts that let a shell ask for completions; ``completers`` answer."""

from __future__ import annotations

import os
import re
from typing import ClassVar

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from lucid.cli.sections import SectionedCommand

# click's own scripts split a name at its blanks (bash) or commas (fish), replace an option
# together with its value (zsh), and put a blank behind a word that is not complete.

BASH = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            plain) COMPREPLY+=("$value") ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
        esac
        [[ $value == *[:/] ]] && compopt -o nospace
    done < <(COMP_LINE=${COMP_LINE:0:COMP_POINT} COMP_WORDBREAKS=$COMP_WORDBREAKS \
%(complete_var)s=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local type value help
    local -a offers plain open described described_open
    offers=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
%(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    for type value help in "${offers[@]}"; do
        case $type,$help,$value in
            plain,_,*[:/]) open+=("$value") ;;
            plain,_,*) plain+=("$value") ;;
            plain,*[:/]) described_open+=("${value//:/\\:}:$help") ;;
            plain,*) described+=("${value//:/\\:}:$help") ;;
            dir,*) _path_files -/ ;;
            file,*) _path_files -f ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#described_open )) && _describe -V unsorted described_open -U -S ''
    compadd -U -V unsorted -a plain
    compadd -U -V unsorted -S '' -a open
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

FISH = """\
function %(complete_func)s
    for line in (env COMP_WORDS=(commandline -cp | string collect) \
COMP_CWORD=(commandline -ct | string collect) \
%(complete_var)s=fish_complete %(prog_name)s 2>/dev/null)
        set -l offer (string split -m 1 , -- $line)
        switch $offer[1]
            case plain
                printf '%%s\\n' $offer[2]
            case dir
                __fish_complete_directories $offer[2]
            case file
                __fish_complete_path $offer[2]
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Forgiving(ShellComplete):
    """Offers nothing if the words so far are wrong, and keeps ``--option=``."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        option, equals, _ = incomplete.partition("=")
        kept = option + equals if option.startswith("-") and equals else ""
        try:
            offers = super().get_completions(args, incomplete)
        except Exception:
            return []
        return [
            CompletionItem(offer.value if offer.type == "file" else kept + offer.value, offer.type)
            if kept
            else offer
            for offer in offers
        ]


class _Bash(_Forgiving, BashComplete):
    """Splits the line itself, as bash cuts words at colons and replaces only what follows."""

    source_template: ClassVar[str] = BASH
    kept = ""
    quote = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        word, cut, self.quote = _last_word(line, os.environ.get("COMP_WORDBREAKS", ""))
        self.kept = "".join(split_arg_string(line[word:cut]))
        return split_arg_string(line[:word])[1:], "".join(split_arg_string(line[word:]))

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        offers = super().get_completions(args, incomplete)
        return [
            offer for offer in offers if offer.type != "plain" or offer.value.startswith(self.kept)
        ]

    def format_completion(self, item: CompletionItem) -> str:
        value = item.value.removeprefix(self.kept)
        if self.quote == "'":
            value = value.replace("'", r"'\''")
        elif self.quote:
            value = re.sub(r'(["$`\\])', r"\\\1", value)
        else:
            value = re.sub(r"([^\w@%+=:,./~^-])", r"\\\1", value)
        return f"{item.type},{value}"


def _last_word(line: str, breaks: str) -> tuple[int, int, str]:
    """Find where the last word starts, where the part that bash replaces does, and its quote."""
    word = cut = index = 0
    quote = ""
    while index < len(line):
        letter = line[index]
        index += 1
        if letter == "\\" and quote != "'":
            index += 1
        elif quote:
            if letter == quote:
                quote = ""
        elif letter in "'\"":
            quote, cut = letter, index
        elif letter.isspace():
            word = cut = index
        elif letter in breaks:
            cut = index
    return word, cut, quote


class _Zsh(_Forgiving, ZshComplete):
    source_template: ClassVar[str] = ZSH

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type}\n{item.value}\n{item.help or '_'}"


class _Fish(_Forgiving, FishComplete):
    source_template: ClassVar[str] = FISH


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}

for _shell in SHELLS.values():
    add_completion_class(_shell)


@click.command(cls=SectionedCommand)
@click.argument("shell", type=click.Choice([*SHELLS]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that lets SHELL complete commands, nets, classes and layers at TAB.

    To try it in bash or zsh: `eval "$(lucid completion bash)"`; in fish:
    `lucid completion fish | source`. To install it:

    \b
    bash, in a folder that the package bash-completion reads:
      mkdir -p ~/.local/share/bash-completion/completions
      lucid completion bash > ~/.local/share/bash-completion/completions/lucid
    zsh, in a folder of $fpath, named before compinit runs:
      mkdir -p ~/.zfunc && lucid completion zsh > ~/.zfunc/_lucid
      in ~/.zshrc: fpath+=~/.zfunc; autoload -U compinit; compinit
    fish:
      mkdir -p ~/.config/fish/completions
      lucid completion fish > ~/.config/fish/completions/lucid.fish
    """
    script = SHELLS[shell](ctx.find_root().command, {}, "lucid", "_LUCID_COMPLETE").source()
    click.echo(script, nl=False)
