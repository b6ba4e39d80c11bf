"""Kinds of small talk: greetings, names, repeating, stories, and saying that it does not know."""

from random import Random

import facts as f
from kind import Item, Kind, a, up
from words import made_up, phrases

UNKNOWN = 'I do not know that, I am a very small model. Ask me about Volley, colours, opposites or small sums.'
STORY_WHO = ['little', 'brave', 'clever', 'hungry', 'lonely', 'kind']
STORY_WHERE = ['in a green forest', 'near a quiet lake', 'on a high hill', 'in a small village', 'by the sea']
STORY_WHAT = [
    'found a golden key',
    'met a friendly owl',
    'lost a red hat',
    'saw a strange light',
    'heard a soft song',
    'built a small boat',
]
STORY_END = [
    'and from then on was never alone',
    'and told everyone about it',
    'and went home happy',
    'and made a new friend that day',
    'and learned to be patient',
]


def story(rng: Random, item: Item) -> str:
    x = item.slots['x']
    return (
        f'Once upon a time, a {rng.choice(STORY_WHO)} {x} lived {rng.choice(STORY_WHERE)}. '
        f'One day the {x} {rng.choice(STORY_WHAT)}, {rng.choice(STORY_END)}.'
    )


def is_story(item: Item, text: str) -> bool:
    x = item.slots['x']
    return any(
        text == f'Once upon a time, a {who} {x} lived {where}. One day the {x} {what}, {end}.'
        for who in STORY_WHO
        for where in STORY_WHERE
        for what in STORY_WHAT
        for end in STORY_END
    )


def talk_kinds() -> list[Kind]:
    names = [*f.NAMES, *(up(word) for word in made_up(1200) if len(word) > 2)]
    hello = [Item({'x': x}, f'{x}! How can I help you?') for x in ['Hello', 'Hi']]
    strange = [Item({'x': x}, UNKNOWN) for x in [*f.UNKNOWN_THINGS, *made_up(400, 9)]]
    work = [Item({'x': x}, UNKNOWN) for x in f.UNKNOWN_WORK]
    return [
        Kind(
            'greeting',
            ['{x}', '{x}!', '{x} there', '{x} there!', '{x}, volley', '{x} you', '{x}.', '{x} again'],
            ['{x} my friend'],
            hello,
            weight=1,
        ),
        Kind(
            'good day',
            ['Good {x}', 'Good {x}!', 'Good {x} to you.', 'A good {x} to you!'],
            ['A very good {x}!'],
            [Item({'x': x}, f'Good {x}! How can I help you?') for x in ['morning', 'afternoon', 'evening', 'day']],
            weight=0.5,
        ),
        Kind(
            'name',
            ['My name is {x}.', 'I am {x}.', 'Hello, I am {x}.', 'Hi, my name is {x}.', 'Call me {x}.', "I'm {x}."],
            ['Hello, you can call me {x}.', 'People call me {x}.'],
            [Item({'x': x}, f'Hello, {x}! Nice to meet you.') for x in names],
            rule=True,
            weight=2.5,
        ),
        Kind(
            'repeat',
            [
                'Say {x}.',
                'Repeat after me: {x}',
                'Please say {x}.',
                'Repeat: {x}',
                'Echo {x}',
                'Can you say {x}?',
                'Repeat {x}.',
            ],
            ['I want you to say {x}.'],
            [Item({'x': x}, up(x) + '.') for x in [*f.REPEATABLE, *made_up(800, 10), *phrases(3000)]],
            rule=True,
            weight=4,
        ),
        Kind(
            'story',
            [
                'Tell me a story about a {x}.',
                'Write a story about a {x}.',
                'A story about a {x}, please.',
                'Tell a short story about a {x}.',
                'Can you tell me a story about a {x}?',
                'I want a story about a {x}.',
            ],
            ['Make up a story about a {x}.', 'Do you know a story about a {x}?'],
            [
                Item({'x': x}, '')
                for x in dict.fromkeys(
                    [*f.STORY_ANIMALS, *f.STORY_PEOPLE, *f.CATEGORIES['an animal'], *f.REGULAR_NOUNS, *made_up(150, 11)]
                )
                if a(x).startswith('a ')
            ],
            rule=True,
            weight=2.5,
            draw=story,
            accepts=is_story,
        ),
        Kind(
            'unknown thing',
            [
                'What is {x}?',
                'Explain {x}.',
                'Tell me about {x}.',
                'What do you know about {x}?',
                'Can you explain {x}?',
                '{x}?',
                'How does {x} work?',
                'Describe {x}.',
                'What do you think of {x}?',
                'Who invented {x}?',
                'Why is there {x}?',
                'When was {x} discovered?',
                'What colour is {x}?',
                'Give me three facts about {x}.',
                'I want to learn about {x}.',
            ],
            ['Could you teach me {x}?', 'Give me a short explanation of {x}.'],
            strange,
            rule=True,
            weight=3,
        ),
        Kind(
            'unknown work',
            [
                'How do I {x}?',
                'Can you {x}?',
                'Please {x}.',
                'Help me {x}.',
                'How can I {x}?',
                'I want to {x}.',
                '{x}',
                'Teach me how to {x}.',
                'What is the best way to {x}?',
            ],
            ['Show me how to {x}.', 'I would like to {x}.'],
            work,
            rule=True,
            weight=1.5,
        ),
    ]
