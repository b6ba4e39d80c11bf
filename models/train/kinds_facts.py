"""Kinds about the world: each answer is in a table of facts.py."""

import facts as f
from kind import Item, Kind, a, items, up
from words import made_up, plural


def fact_kinds() -> list[Kind]:
    nouns = {
        noun: plural(noun)
        for noun in [*f.REGULAR_NOUNS, *(word for word in made_up(250, 12) if word[-1] not in 'aeiouszx')]
    }
    members = {m: c for c, ms in f.CATEGORIES.items() for m in ms}
    category = [
        Item(
            {'ax': m if c in ('a planet', 'a metal') else a(m)},
            up(f'{m if c in ("a planet", "a metal") else a(m)} is {c}.'),
        )
        for m, c in members.items()
    ]
    parts = [Item({'x': p, 'y': w}, up(f'{w} has {n} {p[:-1] if n == "one" else p}.')) for (p, w), n in f.PARTS.items()]
    plural_ask = [
        'What is the plural of {x}?',
        'Give me the plural of {x}.',
        'Plural of {x}?',
        'How do you write the plural of {x}?',
        'What is the plural form of {x}?',
        'One {x}, two what?',
    ]
    plural_held = ['Tell me the plural of {x}.', 'I need the plural of {x}.']
    follow = ['And {x}?', 'And of {x}?', 'What about {x}?']
    return [
        Kind(
            'colour',
            [
                'What colour is {x}?',
                'What color is {x}?',
                'Which colour is {x}?',
                'Tell me the colour of {x}.',
                'What is the colour of {x}?',
                'Which colour does {x} have?',
                'The colour of {x}?',
                'What is the color of {x}?',
            ],
            ['Do you know the colour of {x}?', 'Name the colour of {x}.'],
            items(f.COLOURS, '{x} is {y}.'),
            weight=2.5,
            follow=['And {x}?', 'What about {x}?'],
        ),
        Kind(
            'opposite',
            [
                'What is the opposite of {x}?',
                'Opposite of {x}?',
                'Tell me the opposite of {x}.',
                'Give me the opposite of {x}.',
                "What's the opposite of {x}?",
                'Which word is the opposite of {x}?',
            ],
            ['I need the opposite of {x}.', 'Name the opposite of {x}.'],
            items({**{y: x for x, y in f.OPPOSITES.items()}, **f.OPPOSITES}, 'the opposite of {x} is {y}.'),
            weight=3,
            follow=follow,
        ),
        Kind(
            'plural (rule)',
            plural_ask,
            plural_held,
            items(nouns, 'the plural of {x} is {y}.'),
            rule=True,
            weight=2,
            follow=follow,
        ),
        Kind(
            'plural (irregular)',
            plural_ask,
            plural_held,
            items(f.IRREGULAR_PLURALS, 'the plural of {x} is {y}.'),
            weight=0.7,
            follow=follow,
        ),
        Kind(
            'capital',
            [
                'What is the capital of {x}?',
                'Capital of {x}?',
                'Which city is the capital of {x}?',
                "What's the capital of {x}?",
                'Name the capital of {x}.',
                'Give me the capital of {x}.',
            ],
            ['Tell me the capital of {x}.', 'Do you know the capital of {x}?'],
            items(f.CAPITALS, 'the capital of {x} is {y}.'),
            weight=2,
            follow=['And {x}?', 'And of {x}?', 'What about {x}?'],
        ),
        Kind(
            'sound',
            [
                'What does {ax} say?',
                'What sound does {ax} make?',
                'Which sound does {ax} make?',
                'How does {ax} sound?',
            ],
            ['Tell me what {ax} says.'],
            items(f.SOUNDS, '{ax} says {y}.'),
            weight=0.8,
            follow=['And {ax}?'],
        ),
        Kind(
            'young',
            [
                'What is a young {x} called?',
                'What do you call a young {x}?',
                'What is a baby {x} called?',
                'What is the name for a young {x}?',
            ],
            ['Tell me what a young {x} is called.'],
            items(f.YOUNG, 'a young {x} is called a {y}.'),
            weight=0.8,
            follow=['And a young {x}?'],
        ),
        Kind(
            'home',
            [
                'Where does {ax} live?',
                'Where do you find {ax}?',
                'What is the home of {ax}?',
                'In what does {ax} live?',
            ],
            ['Tell me where {ax} lives.'],
            items(f.HOMES, '{ax} lives in {y}.'),
            weight=0.6,
            follow=['And {ax}?'],
        ),
        Kind(
            'category',
            ['What is {ax}?', 'What kind of thing is {ax}?', 'What sort of thing is {ax}?', 'Tell me what {ax} is.'],
            ['What exactly is {ax}?'],
            category,
            weight=2.5,
            follow=['And {ax}?'],
        ),
        Kind(
            'parts',
            [
                'How many {x} does {y} have?',
                'How many {x} has {y}?',
                'How many {x} are in {y}?',
                'What number of {x} does {y} have?',
            ],
            ['Tell me how many {x} {y} has.', 'Do you know how many {x} {y} has?'],
            parts,
            weight=1.5,
        ),
    ]
