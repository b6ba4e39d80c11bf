"""Kinds about numbers and the calendar: answers that follow from a rule."""

import facts as f
from kind import Item, Kind, up


def number_kinds() -> list[Kind]:
    sums = [Item({'x': str(x), 'y': str(y)}, f'{x} + {y} = {x + y}.') for x in range(21) for y in range(21)]
    minus = [Item({'x': str(x), 'y': str(y)}, f'{x} - {y} = {x - y}.') for x in range(21) for y in range(x + 1)]
    count = [
        Item({'x': str(x), 'y': str(y)}, ', '.join(map(str, range(x, y + 1))) + '.')
        for x in range(31)
        for y in range(x + 2, min(x + 12, 41))
    ]
    after = [Item({'x': str(x)}, f'{x + 1} comes after {x}.') for x in range(200)]
    bigger = [
        Item({'x': str(x), 'y': str(y)}, f'{max(x, y)} is bigger than {min(x, y)}.')
        for x in range(100)
        for y in range(100)
        if x != y and (x * 7 + y * 13) % 5 == 0
    ]
    return [
        Kind(
            'addition',
            [
                'What is {x} + {y}?',
                'What is {x} plus {y}?',
                '{x} + {y}',
                'Add {x} and {y}.',
                'How much is {x} + {y}?',
                'What is the sum of {x} and {y}?',
                '{x} plus {y}?',
            ],
            ['Compute {x} + {y}.', 'How much is {x} plus {y}?'],
            sums,
            rule=True,
            weight=4,
            follow=['And {x} + {y}?'],
        ),
        Kind(
            'subtraction',
            [
                'What is {x} - {y}?',
                'What is {x} minus {y}?',
                '{x} - {y}',
                'Take {y} from {x}.',
                'How much is {x} - {y}?',
            ],
            ['Compute {x} - {y}.', 'How much is {x} minus {y}?'],
            minus,
            rule=True,
            weight=2.5,
            follow=['And {x} - {y}?'],
        ),
        Kind(
            'counting',
            [
                'Count from {x} to {y}.',
                'Can you count from {x} to {y}?',
                'Please count from {x} to {y}.',
                'Say the numbers from {x} to {y}.',
                'List the numbers from {x} to {y}.',
                'Count {x} to {y}.',
            ],
            ['Start at {x} and count to {y}.', 'I want you to count from {x} to {y}.'],
            count,
            rule=True,
            weight=2,
        ),
        Kind(
            'next number',
            [
                'What comes after {x}?',
                'Which number comes after {x}?',
                'What is the number after {x}?',
                'What follows {x}?',
            ],
            ['Tell me the number after {x}.'],
            after,
            rule=True,
            weight=1,
            follow=['And after {x}?'],
        ),
        Kind(
            'bigger number',
            [
                'Which is bigger, {x} or {y}?',
                'Which number is larger, {x} or {y}?',
                'Is {x} or {y} bigger?',
                'What is more, {x} or {y}?',
                'Which is greater: {x} or {y}?',
            ],
            ['Tell me which is bigger, {x} or {y}.'],
            bigger,
            rule=True,
            weight=1.5,
        ),
    ]


def calendar_kinds() -> list[Kind]:
    def around(names: list[str], step: int, word: str) -> dict[str, Item]:
        ring = {x: names[(i + step) % len(names)] for i, x in enumerate(names)}
        return {x: Item({'x': x, 'y': y}, f'{up(y)} comes {word} {x}.') for x, y in ring.items()}

    kinds = []
    for unit, names in (('day', f.DAYS), ('month', f.MONTHS), ('season', f.SEASONS)):
        for step, word in ((1, 'after'), (-1, 'before')):
            kinds.append(
                Kind(
                    f'{unit} {word}',
                    [
                        f'What {unit} comes {word} {{x}}?',
                        f'Which {unit} comes {word} {{x}}?',
                        f'What comes {word} {{x}}?',
                        f'What is the {unit} {word} {{x}}?',
                        f'Which {unit} is {word} {{x}}?',
                        f'Name the {unit} {word} {{x}}.',
                    ],
                    [f'Tell me the {unit} {word} {{x}}.'],
                    list(around(names, step, word).values()),
                    weight=0.5,
                    follow=[f'And {word} {{x}}?'],
                )
            )
    tomorrow = [Item({'x': x}, f'Tomorrow is {f.DAYS[(i + 1) % 7]}.') for i, x in enumerate(f.DAYS)]
    return [
        *kinds,
        Kind(
            'tomorrow',
            [
                'If today is {x}, what day is tomorrow?',
                'Today is {x}. What day is tomorrow?',
                'It is {x} today. Which day is tomorrow?',
            ],
            ['Suppose today is {x}. What is tomorrow?'],
            tomorrow,
            weight=0.3,
        ),
    ]
