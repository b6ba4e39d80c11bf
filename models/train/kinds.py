"""Every kind of question that the tiny model is taught."""

from concepts import CONCEPTS
from kind import Item, Kind
from kinds_facts import fact_kinds
from kinds_numbers import calendar_kinds, number_kinds
from kinds_talk import talk_kinds
from questions import QUESTIONS


def concept_kinds() -> list[Kind]:
    named = [Item({'x': name}, answer) for names, answer, _ in CONCEPTS.values() for name in names]
    free = [
        Kind(f'question:{i}', wordings, [held], [Item({}, answer)], weight=0.12)
        for i, (wordings, held, answer) in enumerate(QUESTIONS)
    ]
    return [
        Kind(
            'concept',
            [
                'What is {x}?',
                'What is {x}?',
                "What's {x}?",
                'Explain {x}.',
                'Tell me about {x}.',
                'What does {x} mean?',
                'Define {x}.',
                'Can you explain {x}?',
                '{x}?',
                'What do you know about {x}?',
                'Please explain {x} to me.',
                'Explain {x} in one sentence.',
                'What is meant by {x}?',
                'I do not understand {x}.',
                'How would you explain {x}?',
                'Describe {x}.',
                'In short, what is {x}?',
                'I want to learn about {x}.',
                'Do you know what {x} is?',
                'Tell me what {x} is.',
                'So what is {x}?',
            ],
            ['Could you tell me what {x} is?', 'What exactly is {x}?', 'Give me a short explanation of {x}.'],
            named,
            weight=6,
            follow=['And {x}?', 'What about {x}?', 'And what is {x}?'],
        ),
        *free,
    ]


KINDS = [*concept_kinds(), *number_kinds(), *calendar_kinds(), *fact_kinds(), *talk_kinds()]
