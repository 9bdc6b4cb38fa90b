"""Names of classes: which of them a typed word means, and which come near it. Imports no torch."""

from __future__ import annotations

import functools
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lucid.errors import nearest

WORDS = Path(__file__).with_name("imagenet_words.txt")
"""What ImageNet's classes are kinds of, as a tree (WordNet's; see ``examples/class_words.py``)."""

ENOUGH = 3
"""As long as fewer classes are found under a word, those of a wider kind are added."""

WIDEST = 64
"""The most classes that such a wider kind holds, of ImageNet's thousand: devices are too many."""

MOST = 5
"""The most classes that a message names."""

ARTICLES = ("a", "an", "the")

IRREGULAR = {"geese": "goose", "mice": "mouse", "teeth": "tooth", "feet": "foot", "oxen": "ox"}

ENDINGS = {"s": "", "es": "", "ies": "y", "ves": "f", "men": "man"}
"""Endings of plurals, and of their singulars."""


def normalize_name(name: str) -> str:
    """Fold the spellings of a name into one: lower case, blanks for hyphens and underscores."""
    return name.strip().casefold().replace("-", " ").replace("_", " ")


@functools.lru_cache(10_000)  # a thousand classes are compared with each word that is typed
def word_forms(word: str) -> frozenset[str]:
    """A word and what its singular may be; some of that is nonsense, which no name is equal to.

    >>> sorted(word_forms("foxes"))
    ['fox', 'foxe', 'foxes']
    """
    forms = {word, IRREGULAR.get(word, word)}
    for ending, singular in ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending) + 1:
            forms.add(word.removesuffix(ending) + singular)
    return frozenset(forms | {form + "e" for form in forms if form.endswith("f")})  # knives


def same_name(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two names, as lists of normalized words, differ only in singulars and plurals."""
    if len(one) != len(other):
        return False
    return all(not word_forms(a).isdisjoint(word_forms(b)) for a, b in zip(one, other, strict=True))


def matching_classes(name: str, classes: Sequence[str]) -> list[int]:
    """List the numbers of the classes that a name may mean.

    Only whole words count; capitals, hyphens and plurals do not.

    Args:
        name: what was typed.
        classes: the names of a net's classes.

    Returns:
        The classes of that name. If there are none, those that have it as another name (orca for
        killer whale). If there are none, those that it is the end of (cat for tiger cat). If there
        are none, those with these words anywhere (Persian for Persian cat), unless they are a noun
        of their own (a face is no face powder). A pig is no guinea pig, but a hog.
    """
    words = [word for word in normalize_name(name).split() if word not in ARTICLES]
    if not words:
        return []
    known = [_alternatives(each) for each in classes]
    named = dict.fromkeys(_read_words().synonyms.get(" ".join(words), ()))
    for fits in (
        lambda each: each == words,
        lambda each: same_name(each, words),
        lambda each: " ".join(each) in named,
        lambda each: not named and same_name(each[-len(words) :], words),
        lambda each: not is_noun(name) and _contains(each, words),
    ):
        if found := [number for number, each in enumerate(known) if any(map(fits, each))]:
            return found
    return []


@functools.lru_cache(10_000)
def _alternatives(name: str) -> list[list[str]]:
    """The words of a name; of several, where commas part them (tench, Tinca tinca)."""
    return [normalize_name(each).split() for each in name.split(",")]


def _contains(name: Sequence[str], words: Sequence[str]) -> bool:
    return all(any(same_name([word], [each]) for each in name) for word in words)


def is_noun(name: str) -> bool:
    """Whether a name, singular or plural, is one of the nouns that lucid knows."""
    return any(_kinds(normalize_name(name)))


def related_classes(name: str, classes: Sequence[str]) -> list[int]:
    """List the numbers of the classes that come nearest to a noun by meaning.

    Args:
        name: a noun, or several words, of which the nouns count.
        classes: the names of a net's classes; those that are none of ImageNet's are not found.

    Returns:
        At most ``MOST`` numbers, the nearest first. None if no word is known, or none of the
        classes is like it.
    """
    own = {normalize_name(each): number for number, each in enumerate(classes)}
    name = normalize_name(name)
    found: list[str] = []
    for word in [name] if is_noun(name) else name.split():
        kinds = _kinds(word)
        for kind in kinds:
            if not found or kind.by_hand == kinds[0].by_hand:
                found += kind.nearest(own)
    return [own[each] for each in dict.fromkeys(found)][:MOST]


def suggest_classes(name: str, classes: Sequence[str], groups: Sequence[str] = ()) -> str:
    """Suggest classes in place of a name that no class has, to be inserted into a message.

    This is ``"; the nearest are …"``, with classes of a like meaning or, for what is no noun,
    classes and groups of a like spelling; or the empty string.
    """
    remark = " (lucid reads names, not sentences)" if len(name.split()) > 2 else ""
    related = related_classes(name, classes)
    if not related:
        return remark if is_noun(name) else remark + nearest(name, [*classes, *groups])
    near = ", ".join(f"{classes[number]} ({number})" for number in related)
    return f"{remark}; the nearest {'are' if len(related) > 1 else 'is'} {near}"


@dataclass(frozen=True)
class _Kind:
    """A kind of things: normalized names of ImageNet's classes, and the wider kind."""

    classes: list[str]
    above: _Kind | None = None
    by_hand: bool = False

    def nearest(self, own: Container[str]) -> list[str]:
        """The classes that a net has of this kind, and of wider kinds if those are too few."""
        found: list[str] = []
        kind: _Kind | None = self
        while kind is not None:
            found += [each for each in kind.classes if each in own and each not in found]
            kind = kind.above
            if len(found) >= ENOUGH or (kind and len(kind.classes) > WIDEST):
                break
        return found


class _Words(NamedTuple):
    """What nouns are about: kinds of things; and other names of ImageNet's classes."""

    kinds: dict[str, list[_Kind]]
    synonyms: dict[str, list[str]]


def _kinds(word: str) -> list[_Kind]:
    """What a noun may be a kind of: first what was added by hand, then the narrowest."""
    found = [
        kind for form in sorted(word_forms(word)) for kind in _read_words().kinds.get(form, ())
    ]
    return sorted(found, key=lambda kind: (not kind.by_hand, len(kind.classes)))


@functools.cache
def _read_words() -> _Words:
    """Read the table; its comments say how it is written."""
    words = _Words({}, {})
    open_kinds: list[_Kind] = []
    for line in WORDS.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if "~" in line:
            left, _, right = line.partition(" ~ ")
            kind = _Kind([normalize_name(each) for each in right.split(", ")], by_hand=True)
            for word in left.split(", "):
                words.kinds.setdefault(word, []).append(kind)
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        head, _, kinds = line.strip().partition(": ")
        head, _, synonyms = head.partition(" = ")
        number, _, name = head.partition(" ")
        name = normalize_name(name if number.isdecimal() else head)
        del open_kinds[depth:]
        kind = _Kind([], open_kinds[-1] if open_kinds else None)
        open_kinds.append(kind)
        same = [each for each in (name, *synonyms.split(", ")) if each]
        for word in (*same, *(each for each in kinds.split(", ") if each)):
            words.kinds.setdefault(word, []).append(kind)
        if number.isdecimal():
            for wider in open_kinds:
                wider.classes.append(name)
            for word in same:
                words.synonyms.setdefault(normalize_name(word), []).append(name)
    return words
