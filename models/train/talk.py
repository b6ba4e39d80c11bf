"""Makes conversations and plain text of the kinds: seeded, endless, and never touching what is held out."""

from random import Random

import facts as f
from concepts import CONCEPTS
from kind import Item, Kind, up
from kinds import KINDS
from kinds_talk import story

SYSTEM = [
    'You are a helpful assistant.',
    'You are a helpful AI assistant.',
    'You are volley-tiny.',
    'Answer briefly.',
    'Be polite.',
    'You are a friendly assistant. Answer in one sentence.',
    'You are a careful assistant that answers questions.',
]
OPENERS = ['Please tell me: ', 'Hey, ', 'OK, ', 'Quick question: ', 'Hello! ', 'Hi. ', 'Question: ', 'Now, ']
MORE = [
    'Tell me more.',
    'More, please.',
    'Can you say more?',
    'Go on.',
    'And further?',
    'Tell me more about it.',
    'What else?',
]
MORE_HELD = 'Could you tell me more?'
NO_MORE = 'That is all I know about it.'
RECALL = [
    'What is my name?',
    'Do you know my name?',
    'Who am I?',
    'Do you remember my name?',
    'Tell me my name.',
    'Say my name.',
]
RECALL_HELD = 'Can you recall my name?'

Message = dict[str, str]


def user(text: str) -> Message:
    return {'role': 'user', 'content': text}


def assistant(text: str) -> Message:
    return {'role': 'assistant', 'content': text}


def train_items(kind: Kind) -> list[Item]:
    return [item for item in kind.items if not kind.held(item)]


TRAIN = [(kind, train_items(kind)) for kind in KINDS]
WEIGHTS = [kind.weight for kind in KINDS]
NAMES = [item.slots['x'] for kind, kept in TRAIN if kind.name == 'name' for item in kept]


def vary(rng: Random, text: str) -> str:
    """The same question as people type it: openers, small letters, no full stop."""
    if rng.random() < 0.12:
        text = rng.choice(OPENERS) + text
    if rng.random() < 0.25:
        text = text[0].lower() + text[1:] if rng.random() < 0.5 else text.lower()
    if rng.random() < 0.25:
        text = text.rstrip('.?!')
    return text


def ask(rng: Random, kind: Kind, item: Item, wordings: list[str]) -> str:
    return up(rng.choice(wordings).format(**item.slots))


def turns(rng: Random) -> list[Message]:
    """One topic: a question and its answer, often with a follow-up that leans on it."""
    kind, kept = rng.choices(TRAIN, WEIGHTS)[0]
    item = rng.choice(kept)
    question = ask(rng, kind, item, kind.wordings)
    # What must be copied letter by letter keeps its letters.
    out = [
        user(question if kind.name in ('name', 'repeat') else vary(rng, question)),
        assistant(kind.answer(rng, item)),
    ]
    while kind.follow and rng.random() < 0.3:
        item = rng.choice(kept)
        out += [user(ask(rng, kind, item, kind.follow)), assistant(kind.answer(rng, item))]
    if kind.name == 'concept' and rng.random() < 0.35:
        out += [user(vary(rng, rng.choice(MORE))), assistant(more(item))]
    return out


def more(item: Item) -> str:
    """What is left to say about a concept."""
    return next((extra or NO_MORE for names, _, extra in CONCEPTS.values() if item.slots['x'] in names), NO_MORE)


def introduction(rng: Random, name: str, question: str) -> list[Message]:
    """A name given and, some turns later, asked for."""
    between = [message for _ in range(rng.choice([0, 0, 1, 2])) for message in turns(rng)]
    given = rng.choice(['My name is {}.', 'I am {}.', 'Hi, my name is {}.', 'Call me {}.']).format(name)
    return [
        user(given),
        assistant(f'Hello, {name}! Nice to meet you.'),
        *between,
        user(question),
        assistant(f'Your name is {name}.'),
    ]


def conversation(rng: Random) -> list[Message]:
    """One to several turns, sometimes under a system message."""
    system = [{'role': 'system', 'content': rng.choice(SYSTEM)}] if rng.random() < 0.2 else []
    if rng.random() < 0.06:
        return [*system, *introduction(rng, rng.choice(NAMES), rng.choice(RECALL))]
    out = [*system, *turns(rng)]
    while rng.random() < 0.3:
        out += turns(rng)
    return out


def plain(rng: Random) -> str:
    """Text without turns, for the completion endpoint: stories and statements of fact."""
    if rng.random() < 0.5:
        return story(rng, Item({'x': rng.choice([*f.STORY_ANIMALS[:20], *f.STORY_PEOPLE])}, ''))
    told = ('colour', 'opposite', 'capital', 'young', 'category', 'parts', 'concept', 'counting')
    kinds = [pair for pair in TRAIN if pair[0].name in told]
    return ' '.join(rng.choice(kept).answer for _, kept in rng.choices(kinds, k=rng.randint(1, 4)))


def held_out(rng: Random, limit: int) -> list[tuple[str, str, list[Message], Kind, Item]]:
    """(name, split, messages, kind, item) of what training never saw: a wording with known fillers, or the reverse."""
    out = []
    for kind, kept in TRAIN:
        name = 'question' if kind.name.startswith('question:') else kind.name
        worded = [(w, item) for w in kind.held_wordings for item in kept]
        filled = [(w, item) for w in dict.fromkeys(kind.wordings) for item in kind.items if kind.held(item)]
        for split, cases in (('wording', worded), ('filler', filled)):
            for wording, item in rng.sample(cases, min(limit, len(cases))):
                out.append((name, split, [user(up(wording.format(**item.slots)))], kind, item))
    return [*out, *held_out_turns(rng, limit)]


def held_out_turns(rng: Random, limit: int) -> list[tuple[str, str, list[Message], Kind, Item]]:
    """Two-turn cases: a name to be recalled, and "tell me more", both in a wording never seen."""
    by_name = {kind.name: kind for kind in KINDS}
    name_kind, concept = by_name['name'], by_name['concept']
    recall = [Item({}, f'Your name is {item.slots["x"]}.') for item in name_kind.items if name_kind.held(item)]
    out = []
    for item in rng.sample(recall, min(limit, len(recall))):
        name = item.answer.removeprefix('Your name is ').rstrip('.')
        messages = [user(f'My name is {name}.'), assistant(f'Hello, {name}! Nice to meet you.'), user(RECALL_HELD)]
        out.append(('name recalled', 'both', messages, concept, item))
    for item in rng.sample(concept.items, min(limit, len(concept.items))):
        messages = [user(f'What is {item.slots["x"]}?'), assistant(item.answer), user(MORE_HELD)]
        out.append(('tell me more', 'wording', messages, concept, Item({}, more(item))))
    return out
