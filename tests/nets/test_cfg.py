from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid.errors import LucidError
from lucid.nets.darknet import cfg

NET = "[net]\nwidth=8\nheight=8\nchannels=3\n"


def test_sections_options_and_lines() -> None:
    text = NET + "# a comment\n; another\n\n [ Convolutional ]\nfilters = 4 # four\npad=1\n"
    net, convolution = cfg.parse(text)
    assert net.kind == "net"
    assert (convolution.kind, convolution.line) == ("convolutional", 8)
    assert convolution.integer("filters", 1) == 4
    assert convolution.integer("size", 3) == 3
    assert convolution.options["filters"] == ("4", 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NET + "[convolutional]\nfilters\n", "line 6: 'filters' is neither"),
        (NET + "[convolutional\n", "line 5: '[convolutional' is not a [section]"),
        ("width=8\n" + NET, "line 1: 'width=8' stands before"),
        ("[convolutional]\n", "line 1: a Darknet cfg begins with a [net] section"),
        ("", "a Darknet cfg begins with a [net] section"),
        (NET, "there are no layers"),
    ],
)
def test_errors_name_their_line(text: str, message: str) -> None:
    with pytest.raises(LucidError) as error:
        cfg.parse(text, "my.cfg")
    assert message in str(error.value)
    assert str(error.value).startswith("my.cfg")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("filters=many", "line 6: [convolutional] filters=many is not a whole number"),
        ("filters=0", "line 6: [convolutional] filters=0 must be from 1"),
        ("filters=1000000000", "must be from 1 to 1000000"),
    ],
)
def test_bad_values_name_their_line(option: str, message: str) -> None:
    section = cfg.parse(NET + f"[convolutional]\n{option}\n")[1]
    with pytest.raises(LucidError) as error:
        section.integer("filters", 1, least=1)
    assert message in str(error.value)


words = st.text(st.characters(codec="utf-8"), max_size=20)
lines = st.one_of(
    words,
    words.map("[{}]".format),
    st.tuples(words, words).map("=".join),
    st.sampled_from(["[net]", "[convolutional]", "filters=3", "width=-1", "# x"]),
)


@settings(max_examples=50)
@given(st.lists(lines, max_size=30))
def test_any_text_gives_sections_or_an_error_of_one_line(text: list[str]) -> None:
    try:
        sections = cfg.parse("\n".join(text))
    except LucidError as refusal:
        sections = []
        message = str(refusal)
    if sections:
        assert sections[0].kind in ("net", "network")
        assert len(sections) > 1
    else:
        assert len(message.splitlines()) == 1


@pytest.mark.slow
@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z]{1,8}", fullmatch=True),
            st.dictionaries(
                st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
                st.integers(0, 1000),
                max_size=4,
            ),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_sections_that_are_written_are_read_again(layers: list[tuple[str, dict[str, int]]]) -> None:
    text = NET + "".join(
        f"[{kind}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
        for kind, options in layers
    )
    read = [
        (section.kind, {key: section.integer(key, -1) for key in section.options})
        for section in cfg.parse(text)[1:]
    ]
    assert read == layers
