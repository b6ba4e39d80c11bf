"""Small talk without a picture: what Volley is, who the model is, greetings, names, and saying that it does not know."""

from random import Random

from concepts import CONCEPTS
from questions import QUESTIONS

SYSTEM = [
    'You are a helpful assistant.', 'You are a helpful AI assistant.', 'You are volley-tiny.', 'Answer briefly.',
    'Be polite.', 'You are a friendly assistant. Answer in one sentence.',
]  # fmt: skip
# The last is held out of training.
CONCEPT_WORDINGS = [
    'What is {x}?', 'What is {x}?', 'What is {x}?', "What's {x}?", 'Explain {x}.', 'Tell me about {x}.',
    'What does {x} mean?', 'Define {x}.', 'Can you explain {x}?', '{x}?', 'Describe {x}.',
    'Do you know what {x} is?', 'What exactly is {x}?',
]  # fmt: skip
MORE = ['Tell me more.', 'More, please.', 'Go on.', 'What else?', 'Can you say more?']
NO_MORE = 'That is all I know about it.'
NO_PICTURE = 'I see no picture. Please show me one.'
UNKNOWN = 'I do not know that, I am a very small model. Ask me about Volley, or show me a picture of shapes.'
UNKNOWN_THINGS = """
taxes, physics, chess, opera, democracy, algebra, law, football, poetry, economics, medicine, gravity, evolution,
a black hole, geometry, grammar, philosophy, history, geology, chemistry, biology, inflation, a volcano, sushi, yoga,
judo, sailing, a laser, a rocket, bitcoin, a compiler, a database, a virus, a cell, an atom, a theorem, jazz, ballet,
the Roman Empire, Napoleon, Shakespeare, Newton, Mozart, Kubernetes, Rust, Haskell, a monad, the capital of France,
the weather in Rome, a sonnet, Python, a mortgage, the moon, a car, a dog, tea, the sea, a novel, music, time, love
""".replace('\n', ' ').strip().split(', ')
UNKNOWN_WORDINGS = [
    'What is {x}?', 'Explain {x}.', 'Tell me about {x}.', 'Can you explain {x}?', '{x}?', 'How does {x} work?',
    'Who invented {x}?', 'Write a poem about {x}.', 'What do you think of {x}?', 'Could you teach me {x}?',
]  # fmt: skip
NO_PICTURE_WORDINGS = [
    'Describe the picture.', 'What do you see?', 'What colour is the circle?', 'How many objects are there?',
    'What does it say?', 'Where is the square?', 'What is in this image?', "What's in this image?",
    'Read the word.', 'Is there a star?', 'What does the picture show?',
]  # fmt: skip
NAMES = """
Ada Alan Alice Amir Anna Ben Bob Carla Chen Clara Dan David Elena Emma Eva Felix Finn Grace Hana Hugo Ida Igor Ivan
Jack Jane Julia Kai Karl Kate Ken Lars Laura Leo Lily Lucas Maria Mark Mary Max Mia Milo Nina Noah Nora Olga Omar
Oscar Paul Peter Priya Ravi Rosa Ruth Sam Sara Sofia Tara Theo Tim Tom Uma Vera Wei Yara Yuki Zoe
""".split()

Turn = tuple[str, str]
TERMS = [(name, answer, more) for names, answer, more in CONCEPTS.values() for name in names]


def up(text: str) -> str:
    return text[0].upper() + text[1:]


def concept(rng: Random, held: bool = False) -> list[Turn]:
    name, answer, more = rng.choice(TERMS)
    wording = CONCEPT_WORDINGS[-1] if held else rng.choice(CONCEPT_WORDINGS[:-1])
    turns = [(up(wording.format(x=name)), answer)]
    if rng.random() < 0.2 and not held:
        turns.append((rng.choice(MORE), more or NO_MORE))
    return turns


def question(rng: Random, held: bool = False) -> list[Turn]:
    wordings, held_wording, answer = rng.choice(QUESTIONS)
    return [(held_wording if held else rng.choice(wordings), answer)]


def greeting(rng: Random, held: bool = False) -> list[Turn]:
    if rng.random() < 0.5:
        name = rng.choice(NAMES)
        wordings = ('My name is {}.', 'I am {}.', 'Hi, my name is {}.', "I'm {}.", 'People call me {}.')
        wording = wordings[-1] if held else rng.choice(wordings[:-1])
        return [(wording.format(name), f'Hello, {name}! Nice to meet you.')]
    if rng.random() < 0.4:
        part = rng.choice(('morning', 'afternoon', 'evening', 'day'))
        wording = 'A very good {}!' if held else rng.choice(('Good {}', 'Good {}!', 'Good {} to you.'))
        return [(wording.format(part), f'Good {part}! How can I help you?')]
    wordings = ('Hello', 'Hello!', 'Hi', 'Hi!', 'Hi there!', 'Hello there', 'Hello, volley', 'Hey', 'Hello my friend')
    return [(wordings[-1] if held else rng.choice(wordings[:-1]), 'Hello! How can I help you?')]


def unknown(rng: Random, held: bool = False) -> list[Turn]:
    wording = UNKNOWN_WORDINGS[-1] if held else rng.choice(UNKNOWN_WORDINGS[:-1])
    return [(up(wording.format(x=rng.choice(UNKNOWN_THINGS))), UNKNOWN)]


def no_picture(rng: Random, held: bool = False) -> list[Turn]:
    return [(NO_PICTURE_WORDINGS[-1] if held else rng.choice(NO_PICTURE_WORDINGS[:-1]), NO_PICTURE)]


KINDS = {
    'concept': (concept, 6),
    'question': (question, 5),
    'greeting': (greeting, 2),
    'unknown': (unknown, 2),
    'no picture': (no_picture, 1),
}


def talk(rng: Random) -> list[Turn]:
    """One to three topics in a row."""
    out: list[Turn] = []
    while not out or rng.random() < 0.25:
        make = rng.choices([kind[0] for kind in KINDS.values()], [kind[1] for kind in KINDS.values()])[0]
        out += make(rng)
    return out


def plain(rng: Random) -> str:
    """Text without turns, for the completion endpoint: statements about serving models."""
    return ' '.join(rng.choice(TERMS)[1] for _ in range(rng.randint(1, 3)))


def vary(rng: Random, text: str) -> str:
    """The same question as people type it: small letters, no full stop."""
    if rng.random() < 0.15:
        text = text[0].lower() + text[1:]
    return text.rstrip('.?!') if rng.random() < 0.15 else text
