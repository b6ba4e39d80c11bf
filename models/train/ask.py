"""Questions about a scene and their answers, by kind. Knows no pixels.

The last wording of each list is held out of training."""

from collections import Counter
from dataclasses import dataclass
from random import Random

from draw import SHAPES
from scene import BANDS, COLOURS, Scene, Thing, place_name

NUMBERS = ('None', 'One', 'Two', 'Three', 'Four', 'Five', 'Six')
YES_NO = ('No.', 'Yes.')


# Where to look: a piece of a text, and the bits of the image tokens that show what it names.
Look = tuple[str, int]


@dataclass(frozen=True)
class Asked:
    """`named`: what the question names; `told`: what the answer tells, in order. Both guide training alone."""

    kind: str
    question: str
    answer: str
    named: tuple[Look, ...] = ()
    told: tuple[Look, ...] = ()


WORDINGS = {
    'describe': [
        'Describe the picture.', 'Describe this image.', 'What is in the picture?', "What's in this image?",
        'What is in this image?', 'What do you see?', 'What does the picture show?', 'Describe what you see.',
        'Describe it.', 'Give me a description.',
    ],
    'colour': [
        'What colour is the {s}?', 'What color is the {s}?', 'Which colour is the {s}?',
        'What is the colour of the {s}?', 'Tell me the colour of the {s}.', 'In what colour do you see the {s}?',
    ],
    'shape': [
        'What is the {c} thing?', 'What shape is the {c} object?', 'What is the {c} object?', 'Which shape is {c}?',
        'What shape is the {c} one?', 'Tell me what the {c} thing is.', 'Of what shape is the {c} thing?',
    ],
    'count all': [
        'How many objects are there?', 'How many things are there?', 'How many shapes are there?',
        'How many objects do you see?', 'Count the objects.', 'How many objects can be seen?',
    ],
    'count colour': [
        'How many {c} objects are there?', 'How many {c} things are there?', 'How many objects are {c}?',
        'Count the {c} objects.', 'How many {c} shapes do you see?', 'How many of the things are {c}?',
    ],
    'count shape': [
        'How many {ss} are there?', 'How many {ss} do you see?', 'Count the {ss}.', 'How many {ss} does it show?',
        'How many {ss} can be seen?',
    ],
    'exists': [
        'Is there a {x}?', 'Do you see a {x}?', 'Is a {x} in the picture?', 'Can you see a {x}?',
        'Does the picture show a {x}?',
    ],
    'where': [
        'Where is the {x}?', 'Where do you see the {x}?', 'Where in the picture is the {x}?',
        'Tell me where the {x} is.', 'Where can the {x} be found?',
    ],
    'what at': [
        'What is at the {p}?', 'What do you see at the {p}?', 'Which object is at the {p}?',
        'Tell me what is at the {p}.', 'What can be found at the {p}?',
    ],
    'relation': [
        'Is the {x} {r} the {y}?', 'Is the {x} {r} the {y}?', 'Tell me if the {x} is {r} the {y}.',
        'Do you see the {x} {r} the {y}?',
    ],
    'text colour': [
        'What colour is the {t}?', 'What color is the {t}?', 'Which colour is the {t}?',
        'What is the colour of the {t}?', 'Tell me the colour of the {t}.', 'In what colour is the {t} written?',
    ],
    'read': [
        'What does it say?', 'Read the {t}.', 'What {t} is this?', 'What is the {t}?', 'What is written here?',
        'Which {t} do you see?', 'Tell me the {t}.', 'Which {t} is written here?',
    ],
}  # fmt: skip
# How often a kind is asked.
WEIGHTS = {
    'describe': 2.2, 'colour': 1.5, 'shape': 1.5, 'count all': 0.9, 'count colour': 1.2, 'count shape': 1.2,
    'exists': 2.2, 'where': 2.2, 'what at': 1.7, 'relation': 2.0, 'text colour': 1.0, 'read': 1.6,
}  # fmt: skip
RELATIONS = {
    'left of': (1, -1), 'to the left of': (1, -1), 'right of': (1, 1), 'to the right of': (1, 1),
    'above': (0, -1), 'below': (0, 1), 'under': (0, 1), 'higher than': (0, -1), 'lower than': (0, 1),
}  # fmt: skip


def a(name: str) -> str:
    return f'an {name}' if name[0] in 'aeiou' else f'a {name}'


def plural(name: str) -> str:
    return f'{name}es' if name.endswith('s') else f'{name}s'


def up(text: str) -> str:
    return text[0].upper() + text[1:]


def worded(rng: Random, kind: str, held: bool, **slots: str) -> str:
    wordings = WORDINGS[kind]
    text = (wordings[-1] if held else rng.choice(wordings[:-1])).format(**slots)
    # "Is there a orange ring?" is mended here, once for all wordings.
    for vowel in ('orange', 'object'):
        text = text.replace(f' a {vowel}', f' an {vowel}')
    return text


def parts_of(scene: Scene) -> list[Look]:
    """What a description tells: all objects in reading order, then the letters of the text."""
    things = [(a(thing.name), thing.cells) for thing in scene.things]
    return things + ([*zip(scene.text.words, scene.text.cells)] if scene.text else [])


def description(scene: Scene) -> str:
    """All objects in reading order, then the text."""
    parts = [a(thing.name) for thing in scene.things]
    if scene.text:
        parts.append(f'the {scene.text.noun} {scene.text.words}')
    if not parts:
        return 'Nothing.'
    start = ', '.join(parts[:-1])
    return up(f'{start} and {parts[-1]}.' if start else f'{parts[0]}.')


def named(rng: Random, scene: Scene) -> list[tuple[Thing, str]]:
    """Things that a name stands for alone, each with such a name: its shape, or colour and shape."""
    shapes = Counter(thing.shape for thing in scene.things)
    names = Counter(thing.name for thing in scene.things)
    return [
        (thing, thing.shape if shapes[thing.shape] == 1 and rng.random() < 0.4 else thing.name)
        for thing in scene.things
        if names[thing.name] == 1
    ]


def exists(rng: Random, scene: Scene) -> tuple[str, bool, int]:
    """A name, whether it is there and where: it is as often as not. What is not there often has a colour and shape that are."""
    there = rng.random() < 0.5 and bool(scene.things)
    sort = rng.random()
    if sort < 0.1:
        noun = rng.choice(('word', 'number'))
        return has_text(scene, noun)
    if there:
        thing = rng.choice(scene.things)
        name = thing.name if sort < 0.65 else thing.shape if sort < 0.85 else f'{thing.colour} object'
        like = [t for t in scene.things if name in (t.name, t.shape, f'{t.colour} object')]
        return name, True, bits(like)
    names = {thing.name for thing in scene.things}
    colours, shapes = {t.colour for t in scene.things}, {t.shape for t in scene.things}
    if sort < 0.65:
        near = [f'{c} {s}' for c in colours for s in shapes if f'{c} {s}' not in names]
        some = [f'{c} {s}' for c in (colours or COLOURS) for s in SHAPES] + [f'{c} {s}' for c in COLOURS for s in shapes]
        absent = near if near and rng.random() < 0.6 else [name for name in some if name not in names]
    elif sort < 0.85:
        absent = [s for s in SHAPES if s not in shapes]
    else:
        absent = [f'{c} object' for c in COLOURS if c not in colours]
    return (rng.choice(absent), False, 0) if absent else has_text(scene, 'number')


def has_text(scene: Scene, noun: str) -> tuple[str, bool, int]:
    there = scene.text is not None and scene.text.noun == noun
    return noun, there, sum(scene.text.cells) if there else 0


def bits(things: list[Thing]) -> int:
    return sum({thing.cells for thing in things})


def counted(rng: Random, present: Counter, names: list[str]) -> tuple[str, int]:
    """A name and its count: mostly of what is there, the commoner ones more often."""
    if present and rng.random() < 0.78:
        some = list(present)
        name = rng.choices(some, [present[n] ** 1.5 for n in some])[0]
        return name, present[name]
    name = rng.choice(names)
    return name, present[name]


def related(rng: Random, scene: Scene) -> tuple[dict[str, str], bool, list[Look]] | None:
    """Two named things and a direction in which their places differ: true as often as not."""
    things = named(rng, scene)
    if len(things) < 2:
        return None
    (one, x), (other, y) = rng.sample(things, 2)
    axes = [axis for axis in (0, 1) if one.band[axis] != other.band[axis]]
    axis, wanted = rng.choice(axes), rng.random() < 0.5
    sign = 1 if one.band[axis] > other.band[axis] else -1
    words = [r for r, (at, way) in RELATIONS.items() if at == axis and (way == sign) == wanted]
    return {'x': x, 'y': y, 'r': rng.choice(words)}, wanted, [(x, one.cells), (y, other.cells)]


def ask(rng: Random, scene: Scene, kind: str, held: bool = False) -> Asked | None:
    """A question of this kind, or None where the scene has none; `held`: in the wording that training lacks."""

    def asked(answer: str, named=(), told=(), **slots: str) -> Asked:
        return Asked(kind, worded(rng, kind, held, **slots), answer, tuple(named), tuple(told))

    things, text = scene.things, scene.text
    colours, shapes = Counter(t.colour for t in things), Counter(t.shape for t in things)
    if kind == 'describe':
        return asked(description(scene), told=parts_of(scene))
    if kind == 'colour':
        some = [t for t in things if shapes[t.shape] == 1]
        if not some:
            return None
        one = rng.choice(some)
        return asked(up(one.colour) + '.', [(one.shape, one.cells)], [(up(one.colour), one.cells)], s=one.shape)
    if kind == 'shape':
        some = [t for t in things if colours[t.colour] == 1]
        if not some:
            return None
        one = rng.choice(some)
        return asked(up(a(one.shape)) + '.', [(one.colour, one.cells)], [(a(one.shape), one.cells)], c=one.colour)
    if kind == 'count all':
        return asked(NUMBERS[len(things)] + '.')
    if kind == 'count colour':
        name, count = counted(rng, colours, list(COLOURS))
        return asked(NUMBERS[count] + '.', c=name)
    if kind == 'count shape':
        name, count = counted(rng, shapes, list(SHAPES))
        return asked(NUMBERS[count] + '.', ss=plural(name))
    if kind == 'exists':
        name, there, cells = exists(rng, scene)
        return asked(YES_NO[there], [(name, cells)], x=name)
    if kind == 'where':
        return where(rng, scene, asked)
    if kind == 'what at':
        return what_at(rng, scene, asked)
    if kind == 'relation':
        found = related(rng, scene)
        return asked(YES_NO[found[1]], found[2], **found[0]) if found else None
    if not text:
        return None
    named = [(text.noun, sum(text.cells))]
    if kind == 'text colour':
        return asked(up(text.colour) + '.', named, [(up(text.colour), sum(text.cells))], t=text.noun)
    return asked(text.words, named, zip(text.words, text.cells), t=text.noun)


def where(rng: Random, scene: Scene, asked) -> Asked | None:
    text = scene.text
    places = [(name, thing.band, thing.cells) for thing, name in named(rng, scene)]
    places += [(text.noun, text.band, sum(text.cells))] if text and rng.random() < 0.4 else []
    if not places:
        return None
    name, band, cells = rng.choice(places)
    place = place_name(band)
    return asked(f'At the {place}.', [(name, cells)], [(f'At the {place}', cells)], x=name)


def what_at(rng: Random, scene: Scene, asked) -> Asked | None:
    """What is at a place: an object, or nothing. A row that holds the text is left alone."""
    row = scene.text.band[0] if scene.text else None
    open_bands = [band for band in BANDS if band[0] != row]
    at = {thing.band: thing for thing in scene.things}
    filled = [band for band in open_bands if band in at]
    if scene.big() and not (scene.things[0].size <= 30):
        open_bands = filled
    band = rng.choice(filled if filled and rng.random() < 0.75 else open_bands)
    place = place_name(band)
    if band not in at:
        return asked('Nothing.', p=place)
    name, cells = a(at[band].name), at[band].cells
    return asked(up(name) + '.', [(place, cells)], [(name, cells)], p=place)


def some_questions(rng: Random, scene: Scene):
    """Endless questions about a scene, none asked twice."""
    seen: set[str] = set()
    kinds = list(WEIGHTS)
    for kind in rng.choices(kinds, list(WEIGHTS.values()), k=60):
        asked = ask(rng, scene, kind)
        if asked and asked.question not in seen:
            seen.add(asked.question)
            yield asked
