"""Make the table of words that lucid knows for ImageNet's classes, from WordNet 3.0.

    sudo apt install wordnet-base        (or any other folder with WordNet 3.0's dict files)
    pip install wordfreq
    python examples/class_words.py /usr/share/wordnet > lucid/nets/imagenet_words.txt

ImageNet's classes are synsets of WordNet, sorted by their numbers there, so each class's synset is
known from its name and its place in the list. The table is the part of WordNet's tree that is above
the thousand classes. Common nouns stand at the lowest node of that tree that they are a kind of.
What WordNet does not know, such as what there is to see at sunset, is added by hand below.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
from wordfreq import zipf_frequency

from lucid.nets.torchvision import categories

MAX_CLASSES = 130
"""A node above more classes than this, such as "instrumentality", tells nothing about a word."""

MAX_SENSES = 2
"""WordNet lists the most frequent senses of a word first: later ones are left out."""

COMMON, COMMON_PERSON = 3.0, 4.0
"""How common a noun must be, and one for people, of whom ImageNet has but three kinds: 3 is one in
a million words (wordfreq's scale)."""

CONCRETE = {5, 6, 8, 13, 15, 17, 18, 19, 20, 27}
"""WordNet's files of things that can be seen: animals, artifacts, body parts, food, places, …"""

FOOD, PERSON = 13, 18

VAGUE = {
    *("abstraction", "location", "material", "substance", "natural object", "matter", "part"),
    *("relative", "point", "creation", "representation", "system", "commodity", "way", "area"),
    *("solid", "shape", "region", "attribute", "group", "nutriment", "surface", "facility"),
    *("opening", "decoration", "paper", "state", "fluid", "line", "content", "framework"),
    *("sheet", "communication", "signal", "conveyance", "causal agent"),
}
"""Nodes that are above few classes, and of no help to whoever misses one."""

SYNSETS = {134: "02012849", 639: "03710721"}
"""Synsets of the classes whose names in torchvision are not WordNet's."""

BY_HAND: Mapping[str, str] = {
    "sunset sunrise dusk dawn twilight": "seashore, lakeside, alp",
    "sea ocean surf tide wave": "seashore, coral reef, jellyfish, sandbar",
    "water": "fountain, lakeside, seashore, water bottle",
    "river stream creek waterfall": "lakeside, valley, dam, fountain, canoe",
    "lake pond lagoon": "lakeside, boathouse, seashore",
    "swamp": "lakeside, American alligator, mud turtle",
    "coast beach bay shore": "seashore, sandbar, promontory, lakeside",
    "island": "sandbar, coral reef, promontory, seashore",
    "forest wood woods jungle woodland": "valley, mushroom, bolete, lakeside, indri",
    "landscape scenery nature": "valley, alp, lakeside, seashore, cliff",
    "sky": "airship, balloon, parachute, kite, alp",
    "cloud clouds fog mist": "alp, volcano, geyser, airliner",
    "storm lightning thunder hurricane": "volcano, seashore, geyser, umbrella",
    "tornado": "volcano, geyser",
    "rain": "umbrella, trench coat, fountain",
    "snow winter": "alp, snowmobile, snowplow, ski, dogsled",
    "ice frost glacier": "alp, ice lolly, ice bear, ice cream",
    "desert sand dune": "sandbar, sidewinder, horned viper, Arabian camel",
    "garden park": "greenhouse, pot, fountain, picket fence, daisy",
    "leaf leaves foliage": "head cabbage, leaf beetle, artichoke, buckeye",
    "grass meadow lawn field": "lawn mower, hay, valley, rapeseed, thresher",
    "farm": "barn, hay, tractor, ox, ram",
    "moon": "volcano, jellyfish, snowplow, planetarium",
    "sun": "daisy, sunglass, sundial, seashore",
    "star stars night galaxy universe": "starfish, planetarium, jellyfish, spotlight",
    "space planet earth world": "planetarium, space shuttle, volcano, projectile",
    "spaceship spacecraft rocket ufo": "space shuttle, missile, projectile, airship, planetarium",
    "alien": "jellyfish, chambered nautilus, mask, trilobite",
    "fire flame flames smoke": "volcano, fire engine, matchstick, torch, candle",
    "light glow": "spotlight, candle, torch, lampshade, table lamp",
    "explosion bomb": "volcano, geyser, projectile, missile",
    "rainbow": "lorikeet, macaw, peacock, balloon",
    "stone rock crystal": "cliff, stone wall, megalith, alp, coral reef",
    "jewel gem diamond gold": "necklace, chain, breastplate, goldfish",
    "cave": "cliff, cliff dwelling, grille, volcano",
    "face head portrait": "mask, gasmask, wig, ski mask, oxygen mask",
    "eye eyes": "sunglass, mask, loupe, great grey owl, tailed frog",
    "mouth lips tooth teeth": "lipstick, harmonica, great white shark, mask",
    "hand finger": "mitten, punching bag, hand-held computer, Band Aid",
    "foot feet leg": "sandal, sock, running shoe, clog, cowboy boot",
    "hair beard": "wig, hair slide, hair spray, komondor, Afghan hound",
    "heart": "strawberry, Band Aid, stethoscope",
    "brain": "brain coral, cauliflower, knot",
    "skull skeleton bone": "mask, gasmask, breastplate, triceratops",
    "blood": "Band Aid, syringe, vase, pomegranate",
    "man woman boy girl human child baby": "ballplayer, scuba diver, groom, bonnet, diaper",
    "ghost spirit soul": "mask, cloak, jellyfish, white wolf",
    "angel": "macaw, cloak, peacock, altar, American egret",
    "devil demon hell monster": "mask, horned viper, triceratops, gasmask, American alligator",
    "dragon": "Komodo dragon, frilled lizard, triceratops, dragonfly, common iguana",
    "dinosaur": "triceratops, Komodo dragon, American alligator, frilled lizard",
    "unicorn": "sorrel, Arabian camel, rhinoceros beetle, zebra",
    "mermaid": "scuba diver, dugong, coral reef, sea lion",
    "wizard witch magic": "cloak, broom, caldron, mask, Crock Pot",
    "king queen prince princess crown": "throne, palace, king penguin, monarch, bonnet",
    "knight armor": "cuirass, breastplate, chain mail, shield",
    "pirate": "pirate, schooner, cannon, wreck, chest",
    "soldier army war": "military uniform, tank, cannon, rifle, bulletproof vest",
    "robot machine android": "joystick, desktop computer, cuirass, gasmask",
    "bat": "indri, colobus, Siamese cat, baseball",
    "rat": "hamster, porcupine, mongoose, marmot",
    "mouse": "hamster, mouse, marmot, beaver",
    "deer": "gazelle, impala, hartebeest, ibex",
    "giraffe": "impala, gazelle, leopard, zebra",
    "crow raven": "magpie, jay, black grouse, vulture",
    "pigeon dove": "partridge, ptarmigan, quail, house finch",
    "parrot budgie": "macaw, lorikeet, sulphur-crested cockatoo, African grey",
    "eagle hawk falcon": "bald eagle, kite, vulture",
    "octopus squid cuttlefish tentacle": "jellyfish, chambered nautilus, sea slug, sea anemone",
    "dolphin": "killer whale, grey whale, dugong, sea lion",
    "seahorse": "sea slug, lionfish, sea urchin, starfish",
    "dog puppy": "golden retriever, Labrador retriever, beagle, German shepherd, Pembroke",
    "puppy": "golden retriever, beagle, Pembroke, pug, Samoyed",
    "kitten": "tabby, Persian cat, Siamese cat, Egyptian cat",
    "pony foal": "sorrel, zebra, horse cart",
    "flower blossom bloom": "daisy, yellow lady's slipper, rapeseed, pot, vase",
    "rose tulip sunflower orchid lily": "daisy, yellow lady's slipper, rapeseed, hip",
    "lotus": "daisy, yellow lady's slipper, custard apple",
    "tree": "buckeye, acorn, fig, jackfruit, hip",
    "palm": "coral fungus, custard apple, fig, buckeye",
    "seed nut": "acorn, buckeye, corn, hip",
    "cake pie": "trifle, chocolate sauce, dough, bakery, ice cream",
    "sushi": "plate, cucumber, sturgeon, coho",
    "music": "grand piano, violin, French horn, acoustic guitar, drum",
    "concert": "stage, grand piano, spotlight, electric guitar",
    "piano": "grand piano, upright, organ",
    "car automobile": "sports car, convertible, limousine, beach wagon, minivan",
    "truck lorry": "pickup, moving van, tow truck, fire engine, garbage truck",
    "bicycle": "mountain bike, bicycle-built-for-two, unicycle",
    "ship boat": "schooner, liner, container ship, speedboat, yawl",
    "airplane aeroplane plane jet": "airliner, warplane, wing, airship",
    "train": "bullet train, steam locomotive, electric locomotive, freight car",
    "road street highway": "street sign, traffic light, cab, streetcar, viaduct",
    "city town village downtown": "streetcar, cab, palace, cinema, street sign",
    "skyscraper tower": "obelisk, bell cote, beacon, water tower",
    "house home cottage cabin": "boathouse, birdhouse, mobile home, barn, yurt",
    "ruin ruins": "megalith, triumphal arch, castle, stone wall, cliff dwelling",
    "temple cathedral": "church, mosque, stupa, altar, monastery",
    "window": "window screen, window shade, shoji, sliding door",
    "door gate": "sliding door, turnstile, prison, picket fence",
    "stairs staircase": "bannister",
    "chair seat": "rocking chair, folding chair, barber chair, throne",
    "table desk": "dining table, desk, pool table",
    "lamp lantern": "table lamp, lampshade, torch, jack-o'-lantern, spotlight",
    "phone telephone smartphone": "cellular telephone, dial telephone, pay-phone, iPod",
    "computer": "laptop, desktop computer, notebook, screen, computer keyboard",
    "television tv": "television, screen, entertainment center, monitor",
    "book": "comic book, bookshop, bookcase, library, binder",
    "picture painting art photograph": "comic book, book jacket, jigsaw puzzle, web site",
    "money coin": "purse, wallet, slot, piggy bank",
    "game toy": "teddy, jigsaw puzzle, slot, joystick, crossword puzzle",
    "ball sport football": "soccer ball, basketball, rugby ball, volleyball, golf ball",
    "clothes fashion": "gown, suit, cardigan, kimono, fur coat",
    "dress": "gown, hoopskirt, overskirt, sarong, kimono",
    "hat": "cowboy hat, sombrero, bonnet, bearskin, mortarboard",
    "glass": "wine bottle, beer glass, goblet, vase, loupe",
    "wine beer": "red wine, wine bottle, beer glass, beer bottle, goblet",
    "coffee tea": "espresso, coffeepot, teapot, cup, coffee mug",
    "food meal dinner": "plate, pizza, cheeseburger, burrito, hot pot",
    "mountain peak summit hill": "alp, volcano, cliff, valley",
    "christmas": "Christmas stocking, candle, pineapple, shopping basket",
    "halloween pumpkin": "jack-o'-lantern, mask, spaghetti squash, caldron",
    "statue sculpture": "pedestal, totem pole, obelisk, megalith, triumphal arch",
    "hospital doctor nurse": "ambulance, stethoscope, lab coat, syringe, stretcher",
    "priest monk church": "vestment, altar, church, monastery",
    "wedding bride": "groom, gown, altar, limousine",
    "clockwork time": "analog clock, wall clock, hourglass, sundial, digital watch",
    "mandala pattern kaleidoscope": "maze, doormat, quilt, honeycomb, shower curtain",
    "spiral": "coil, snail, chambered nautilus, conch, maze",
    "web": "spider web, black and gold garden spider, garden spider",
    "gun pistol": "revolver, rifle, assault rifle, holster",
    "sword blade": "letter opener, cleaver, scabbard, breastplate",
    "worm": "flatworm, nematode, centipede, hognose snake",
    "lizard": "green lizard, American chameleon, common iguana, Komodo dragon",
    "turtle tortoise": "mud turtle, box turtle, leatherback turtle, terrapin",
    "frog": "tree frog, tailed frog, bullfrog",
    "feather": "quill, peacock, macaw, feather boa",
    "fur": "fur coat, Samoyed, Angora, Persian cat",
    "feathers": "quill, peacock, macaw, feather boa",
}
"""Words, and the classes that come near them."""


class Synset(NamedTuple):
    """A meaning: WordNet's file that holds it, its words, and the synset above it."""

    file: int
    words: list[str]
    above: str | None


def read_synsets(folder: Path) -> dict[str, Synset]:
    """Read WordNet's nouns by their numbers."""
    synsets = {}
    for line in (folder / "data.noun").read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):  # the licence
            continue
        number, file, _, count, *fields = line.partition("|")[0].split()
        words = [word.replace("_", " ") for word in fields[: 2 * int(count, 16) : 2]]
        pointers = fields[2 * int(count, 16) + 1 :]
        kinds = zip(pointers[0::4], pointers[1::4], strict=False)
        above = next((target for kind, target in kinds if kind in ("@", "@i")), None)
        synsets[number] = Synset(int(file), words, above)
    return synsets


def read_senses(folder: Path) -> dict[str, list[str]]:
    """Read the numbers of each noun's synsets, the most frequent first."""
    senses = {}
    for line in (folder / "index.noun").read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            word, _, count, *fields = line.split()
            senses[word.replace("_", " ")] = fields[-int(count) :]
    return senses


def class_synsets(classes: list[str], senses: Mapping[str, list[str]]) -> list[str]:
    """Find each class's synset: the longest rising sequence of numbers that fits the names."""
    chains: list[tuple[str, tuple[int, str, object] | None]] = []
    for index, name in enumerate(classes):
        fitting = [SYNSETS[index]] if index in SYNSETS else senses.get(name.lower(), [])
        for number in sorted(fitting, reverse=True):
            place = bisect.bisect_left([end for end, _ in chains], number)
            link = (number, (index, number, chains[place - 1][1] if place else None))
            chains[place : place + 1] = [link]
    found: list[str] = []
    chain: object = chains[-1][1]
    while isinstance(chain, tuple):
        _, number, chain = chain
        found.append(number)
    if len(found) != len(classes):
        raise click.ClickException(f"only {len(found)} classes were found: is that WordNet 3.0?")
    return found[::-1]


def lines(folder: Path) -> Iterator[str]:
    """Yield the lines of the table."""
    synsets, senses = read_synsets(folder), read_senses(folder)
    classes = categories("squeezenet1_1")
    of_class = class_synsets(classes, senses)
    counts: Counter[str] = Counter()
    for number in of_class:
        above: str | None = number
        while above:
            counts[above] += 1
            above = synsets[above].above
    helpful = {
        number
        for number, count in counts.items()
        if count <= MAX_CLASSES and synsets[number].words[0] not in VAGUE
    }
    kinds: dict[str, list[str]] = {number: [] for number in helpful}
    for word, numbers in sorted(senses.items()):
        for number in numbers[:MAX_SENSES]:
            place = _place(number, word, synsets, counts)
            if place in helpful:
                kinds[place].append(word)
                if synsets[number].file != FOOD:  # an octopus is an animal, too
                    break
    names = dict(zip(of_class, classes, strict=True))
    below: dict[str | None, list[str]] = {None: [], **{number: [] for number in helpful}}
    for number in sorted(helpful, key=lambda each: (-counts[each], each)):
        above = synsets[number].above
        while above is not None and above not in helpful:
            above = synsets[above].above
        below[above].append(number)

    def branch(number: str, depth: int) -> Iterator[str]:
        index = f"{of_class.index(number)} " if number in names else ""
        title = names.get(number) or synsets[number].words[0]
        # A rare word for a common thing belongs to the table, too.
        same = {each.lower() for each in synsets[number].words if " " not in each or index}
        same = {each for each in same if (senses[each] or [""])[0] == number} - {title.lower()}
        more = set(kinds[number]) - same - {title.lower()}
        if index or same or kinds[number] or len(below[number]) > 1:
            line = f"{'  ' * depth}{index}{title}"
            line += f" = {', '.join(sorted(same))}" if same else ""
            yield line + (f": {', '.join(sorted(more))}" if more else "")
            depth += 1
        for child in below[number]:
            yield from branch(child, depth)

    for number in below[None]:
        yield from branch(number, 0)
    yield ""
    yield "# Added by hand: words, and the classes that come near them"
    for group, near in BY_HAND.items():
        for name in near.split(", "):
            if name not in classes:
                raise click.ClickException(f"{name!r}, near {group!r}, is no class")
        yield f"{', '.join(group.split())} ~ {near}"


def _place(
    number: str, word: str, synsets: Mapping[str, Synset], counts: Counter[str]
) -> str | None:
    """The lowest node above some class that a meaning of a word is a kind of, if that helps."""
    synset, place = synsets[number], number
    common = COMMON_PERSON if synset.file == PERSON else COMMON
    # Names, which begin with capitals, are left out: Persian cats are cats, not people.
    if word not in synset.words or synset.file not in CONCRETE or not word.isalpha():
        return None
    if len(word) < 3 or zipf_frequency(word, "en") < common:
        return None
    while place not in counts:
        above = synsets[place].above
        if above is None:
            return None
        place = above
    return place


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Print the table, from WordNet's dict files in FOLDER."""
    print("# Words for ImageNet's classes. Made by examples/class_words.py from WordNet 3.0,")
    print("# Copyright 2006 by Princeton University, all rights reserved; see LICENSE.")
    print("# What is indented is a kind of what it is under, and so are the words behind a colon.")
    print("# Words behind = mean the same. Classes have their numbers.")
    print()
    for line in lines(folder):
        print(line)


if __name__ == "__main__":
    main()
