"""What a kind of question is: its wordings and fillers, some of both held out of training, and its right answers."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

HELD_PERCENT = 15


@dataclass(frozen=True)
class Item:
    """One filler of a kind: the slots of its wordings and the answer to them."""

    slots: dict[str, str]
    answer: str

    @property
    def key(self) -> str:
        return '|'.join(self.slots.values())


@dataclass(frozen=True)
class Kind:
    """Questions of one form. `rule`: the answer follows from a rule, so unseen fillers are a fair test."""

    name: str
    wordings: list[str]
    held_wordings: list[str]
    items: list[Item]
    rule: bool = False
    weight: float = 1.0
    follow: list[str] = field(default_factory=list)
    # For kinds with many right answers: draws one, and says whether a text is one.
    draw: Callable[[Random, Item], str] | None = None
    accepts: Callable[[Item, str], bool] | None = None

    def held(self, item: Item) -> bool:
        return self.rule and zlib.crc32(f'{self.name}:{item.key}'.encode()) % 100 < HELD_PERCENT

    def answer(self, rng: Random, item: Item) -> str:
        return self.draw(rng, item) if self.draw else item.answer

    def right(self, item: Item, text: str) -> bool:
        return self.accepts(item, text) if self.accepts else text == item.answer


def a(noun: str) -> str:
    """The noun with its article."""
    return f'an {noun}' if noun[0].lower() in 'aeiou' else f'a {noun}'


def up(text: str) -> str:
    """The text with a capital first letter, the rest untouched."""
    return text[0].upper() + text[1:]


def items(table: dict[str, str], answer: str) -> list[Item]:
    """Items of a table key -> value; the answer's template sees x (key), y (value) and ax (key with article)."""
    return [Item({'x': x, 'y': y, 'ax': a(x)}, up(answer.format(x=x, y=y, ax=a(x)))) for x, y in table.items()]
