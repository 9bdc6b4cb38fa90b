"""Names of classes: what a typed word means, and which classes come near it."""

from __future__ import annotations

import re

import class_groups
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.nets.class_names import (
    WORDS,
    matching_classes,
    related_classes,
    suggest_classes,
    word_forms,
)
from lucid.nets.imagenet import thousand_names
from lucid.nets.net import read_names
from lucid.nets.torchvision import categories
from lucid.resources import bundled

THOUSAND = categories("squeezenet1_1")
SIXTY_FOUR = read_names(bundled()["lucid64"].with_suffix(".names"))

NOUNS = """
octopus: jellyfish, chambered nautilus, sea anemone, sea slug, starfish
horse: sorrel, zebra, horse cart
cow: ox, water buffalo, bison, oxcart
parrot: African grey, macaw, sulphur-crested cockatoo, lorikeet, toucan
deer: hartebeest, impala, gazelle, ibex, bighorn
dolphin: killer whale, grey whale, dugong, sea lion, great white shark
duck: drake, red-breasted merganser, goose, black swan, American coot
sheep: ram, bighorn, ibex, wool
moth: monarch, admiral, ringlet, cabbage butterfly, sulphur butterfly, lycaenid, lacewing,
  cicada
rat: hamster, guinea pig, fox squirrel, marmot, weasel
giraffe: zebra, gazelle, impala, hartebeest, Arabian camel, llama, African elephant
kitten: tabby, tiger cat, Persian cat, Siamese cat, Egyptian cat
rose: daisy, hip, yellow lady's slipper
sunflower: daisy, rapeseed, yellow lady's slipper
tree: acorn, buckeye, fig, lemon, orange, Granny Smith, valley, lakeside, lumbermill
pumpkin: jack-o'-lantern, acorn squash, butternut squash, spaghetti squash
fruit: Granny Smith, strawberry, orange, lemon, fig, pineapple, banana, jackfruit, custard
  apple, pomegranate
bread: French loaf, bagel, pretzel, dough, bakery, toaster
cake: trifle, bakery, confectionery, ice cream, chocolate sauce
sandwich: cheeseburger, hotdog, burrito, bagel, French loaf
soup: consomme, soup bowl, hot pot, ladle
coffee: espresso, coffee mug, coffeepot, espresso maker, cup
mountain: alp, volcano, cliff, valley, promontory, mountain tent
ocean: seashore, coral reef, sandbar, promontory, breakwater
river: valley, lakeside, dam, canoe, gondola, paddlewheel, steel arch bridge, suspension bridge,
  viaduct
waterfall: geyser, fountain, dam, cliff, valley
island: promontory, sandbar, seashore, coral reef, volcano
forest: valley, lakeside, mushroom, agaric, bolete, acorn, brown bear, timber wolf, red fox
snow: alp, ski, snowmobile, snowplow, dogsled, bobsled, ice bear, Arctic fox, snow leopard,
  Siberian husky
rain: umbrella, rain barrel, trench coat, poncho
storm: umbrella, breakwater, seashore, wreck, schooner
cloud: alp, balloon, airship, geyser, volcano, parachute, wing
sword: scabbard, letter opener, cleaver, shield, breastplate, cuirass
gun: revolver, rifle, assault rifle, cannon, holster
knife: cleaver, letter opener, hatchet
bed: four-poster, cradle, crib, bassinet, studio couch, sleeping bag, pillow, quilt
toy: teddy, toyshop, jigsaw puzzle, pinwheel, balloon, piggy bank
statue: pedestal, totem pole, obelisk, fountain, megalith, triumphal arch
house: mobile home, cliff dwelling, barn, yurt, castle, palace, boathouse, birdhouse,
  greenhouse, thatch, tile roof, patio
temple: mosque, church, monastery, stupa, altar, dome, palace
fortress: castle, palace, prison, stone wall, cannon
hospital: ambulance, stethoscope, stretcher, syringe, oxygen mask, lab coat, crutch
soldier: military uniform, bearskin, pickelhaube, rifle, assault rifle, bulletproof vest, tank,
  half track
knight: cuirass, breastplate, chain mail, shield, scabbard, castle
baby: cradle, crib, bassinet, bib, diaper, nipple
cowboy: cowboy hat, cowboy boot, holster, revolver, bolo tie, sorrel
priest: vestment, altar, church, monastery
bicycle: bicycle-built-for-two, mountain bike, tricycle, unicycle, moped
boat: speedboat, lifeboat, fireboat, canoe, gondola, catamaran, trimaran, yawl, schooner, liner,
  boathouse
rocket: missile, projectile, space shuttle
motorcycle: moped, motor scooter, crash helmet
unicorn: sorrel, zebra, ibex, carousel
mermaid: dugong, sea lion, jellyfish, coral reef, conch, seashore
witch: caldron, broom, cloak, jack-o'-lantern
face: mask, ski mask, face powder, lipstick
hair: wig, hair slide, hair spray, hand blower, shower cap
foot: sock, sandal, clog, running shoe, Loafer, cowboy boot
dress: gown, abaya, kimono, hoopskirt, overskirt, sarong, miniskirt
trousers: jean, pajama, swimming trunks
scarf: feather boa, stole, handkerchief
"""
"""Sixty nouns that are no classes, and the classes that are of use to whoever typed one. Whoever
wrote this list had seen the names of the classes, and neither the table nor the code."""


def names(numbers: list[int], classes: list[str]) -> list[str]:
    return [classes[number] for number in numbers]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("goldfish", ["goldfish"]),
        ("Gold-Fish", []),
        ("PERSIAN_CAT", ["Persian cat"]),
        ("lions", ["lion"]),
        ("great white sharks", ["great white shark"]),
        ("wolves", ["timber wolf", "white wolf", "red wolf"]),
        ("knife", []),
        ("orca", ["killer whale"]),
        ("ladybird", ["ladybug"]),
        ("persian", ["Persian cat"]),
        ("retriever cat", []),
        ("white shark", ["great white shark"]),
        ("shark", ["great white shark", "tiger shark"]),
        ("pig", ["hog"]),
        ("cauli", []),
        ("flower", []),
        ("face", []),
        ("all", []),
        ("", []),
        ("  ", []),
    ],
)
def test_whole_words_are_matched(typed: str, found: list[str]) -> None:
    matched = names(matching_classes(typed, THOUSAND), THOUSAND)
    assert sorted(matched) == sorted(found)


def test_names_with_synonyms_behind_commas_are_known_by_each() -> None:
    classes = ["tench, Tinca tinca", "goldfish, Carassius auratus", "kite"]
    for typed, number in (("tinca tinca", 0), ("goldfish", 1), ("kites", 2)):
        assert matching_classes(typed, classes) == [number]


def test_a_name_of_a_class_that_a_net_lacks_means_no_other() -> None:
    assert names(matching_classes("pig", SIXTY_FOUR), SIXTY_FOUR) == []  # not guinea pig


@pytest.mark.parametrize("number", range(0, 1000, 7))
def test_every_class_is_found_by_its_name(number: int) -> None:
    assert number in matching_classes(THOUSAND[number], THOUSAND)
    assert number in matching_classes(THOUSAND[number].upper().replace(" ", "-"), THOUSAND)


@pytest.mark.slow
@given(st.text(max_size=40))
def test_any_text_is_met(text: str) -> None:
    for classes in (THOUSAND, SIXTY_FOUR, ["", "a b", text]):
        assert all(0 <= number < len(classes) for number in matching_classes(text, classes))
        assert len(related_classes(text, classes)) <= 5
        assert suggest_classes(text, classes).isprintable() or not text.isprintable()


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        *(("cats", "cat"), ("foxes", "fox"), ("ponies", "pony"), ("wolves", "wolf")),
        *(("knives", "knife"), ("mice", "mouse"), ("snowmen", "snowman")),
        *(("houses", "house"), ("buses", "bus")),
    ],
)
def test_plurals(plural: str, singular: str) -> None:
    assert singular in word_forms(plural)


def test_nouns_have_useful_neighbours() -> None:
    nouns = re.sub(r"\n +", " ", NOUNS).strip().splitlines()
    assert len(nouns) == 60
    without = []
    for line in nouns:
        noun, _, useful = line.partition(": ")
        found = matching_classes(noun, THOUSAND) or related_classes(noun, THOUSAND)
        if not set(names(found, THOUSAND)) & set(useful.split(", ")):
            without.append(noun)
    assert len(without) <= 10, without


def test_a_sentence_is_read_word_by_word() -> None:
    said = suggest_classes("sunset over mountains", THOUSAND)
    assert "reads names, not sentences" in said
    assert "seashore" in said
    assert "alp" in said


def test_what_is_mistyped_is_found_by_its_letters() -> None:
    assert suggest_classes("goldfsh", SIXTY_FOUR).startswith("; the nearest are goldfish")
    assert suggest_classes("xyzzy", SIXTY_FOUR) == ""
    assert suggest_classes("owl", ["towel", "bowl"]) == ""  # a noun, and they are no owls


def test_the_table_holds_every_class_once() -> None:
    text = WORDS.read_text(encoding="utf-8")
    found = re.findall(r"^ *(\d+) ([^:=\n]+?)(?: = .*)?(?:: .*)?$", text, re.MULTILINE)
    assert sorted((int(number), name) for number, name in found) == list(enumerate(THOUSAND))


def test_groups_are_wordnets_but_for_what_was_changed_by_hand() -> None:
    names = thousand_names()
    changed = {
        group: ([names[number] for number in added], [names[number] for number in left])
        for group, (added, left) in class_groups.differences().items()
        if added or left
    }
    assert changed == {
        "birds": (
            [
                *("black grouse", "ptarmigan", "ruffed grouse", "prairie chicken", "peacock"),
                *("quail", "partridge"),
            ],
            [],
        ),
        "amphibians": ([], ["amphibian"]),  # the car
        "crabs": (["hermit crab"], []),
        "mushrooms": (["mushroom"], []),
        "food": ([], ["menu", "plate", "hay", "cup"]),
    }
