"""Batches for training: a pure function of (seed, step), so that a resumed run sees what an unbroken one would.

A row shows one picture and many questions, each of which sees the picture and not the others: the encoder runs once."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from tokenizers import Tokenizer

from ask import Asked, some_questions
from paint import tile
from scene import scene
from talk import SYSTEM as SYSTEM_TEXTS
from talk import plain, talk, vary
from tokenizer import ASSISTANT, END, END_OF_TEXT, FAKE, GLOBAL, IMAGE, SYSTEM, USER

LENGTH = 128
IMAGE_TOKENS = 16
# Weight in the loss of what the model need not say itself.
ASKED_WEIGHT = 0.05
# Farthest that a question is put from its picture, in tokens.
FARTHEST = 360


@dataclass
class Rows:
    """[rows, LENGTH] each but tiles [pictures, 64, 64, 3] and labels [pictures, 16, 3], of the first rows.

    looks [rows, LENGTH, 2]: bits of the image tokens to look at, for what a question names and for what comes next."""

    ids: np.ndarray
    weights: np.ndarray
    at_image: np.ndarray
    position: np.ndarray
    parts: np.ndarray
    looks: np.ndarray
    tiles: np.ndarray
    labels: np.ndarray


Looks = list[tuple[int, int]]


class Writer:
    """Text to token ids, remembered: the same words come again and again."""

    def __init__(self, directory: Path):
        tokenizer = Tokenizer.from_file(str(directory / 'tokenizer.json'))
        self.encoded = lru_cache(1 << 17)(lambda text: tokenizer.encode(text, add_special_tokens=False))

    def words(self, text: str) -> list[int]:
        return self.encoded(text).ids

    def turn(self, asked: str, answer: str, opened: bool) -> tuple[list[int], list[float]]:
        """A question and its answer; `opened`: the user's turn has begun already, before the picture."""
        question = [*([] if opened else [USER]), *self.words(asked), END, ASSISTANT]
        said = [*self.words(answer), END]
        # Of a long answer each token counts less: most of them say little about the picture.
        weight = max(0.3, min(1.0, (4 / len(said)) ** 0.5))
        return [*question, *said], [ASKED_WEIGHT] * len(question) + [weight] * len(said)

    def looks(self, question: str, asked: Asked, opened: bool) -> Looks:
        """Where the tokens of a turn should look: the last token of a name, and each token before one that tells."""
        before = 0 if opened else 1
        ends = [end for _, end in self.encoded(question).offsets]
        out = [(0, 0)] * (before + len(ends) + 2 + len(self.words(asked.answer)) + 1)
        for name, cells in asked.named:
            found = re.search(rf'\b{name}\b', question)
            if found and found.end() in ends:
                out[before + ends.index(found.end())] = (cells, 0)
        start = before + len(ends) + 1
        at = 0
        for told, cells in asked.told:
            at = asked.answer.lower().index(told.lower(), at)
            for i, (left, right) in enumerate(self.encoded(asked.answer).offsets):
                if left < at + len(told) and right > at:
                    out[start + i] = (0, cells)
            at += len(told)
        return out


class Row:
    def __init__(self, out: Rows, index: int):
        self.out, self.index, self.used, self.part = out, index, 0, 0

    def add(self, ids: list[int], weights: list[float], start: int, looks: Looks = []) -> None:
        """Appends ids to the current part, at positions from `start`; what has no room is cut."""
        room = min(len(ids), LENGTH - self.used)
        here = slice(self.used, self.used + room)
        self.out.ids[self.index, here] = ids[:room]
        self.out.weights[self.index, here] = weights[:room]
        self.out.position[self.index, here] = np.arange(start, start + room)
        self.out.parts[self.index, here] = self.part
        if looks:
            self.out.looks[self.index, here] = looks[:room]
        self.used += room

    def full(self) -> bool:
        return self.used >= LENGTH - 8


def picture_row(rng: Random, writer: Writer, row: Row, shown) -> None:
    head: list[int] = []
    if rng.random() < 0.12:
        head = [SYSTEM, *writer.words(rng.choice(SYSTEM_TEXTS)), END]
    if rng.random() < 0.05:
        head += writer.turn(*talk(rng)[0], False)[0]
    head += [USER, FAKE, GLOBAL]
    row.out.at_image[row.index, len(head) : len(head) + IMAGE_TOKENS] = np.arange(IMAGE_TOKENS)
    head += [IMAGE] * IMAGE_TOKENS + [FAKE]
    row.add(head, [0.0] * len(head), 0)
    questions = some_questions(rng, shown)
    while not row.full():
        row.part += 1
        # Mostly the first question about a picture; else one after turns that are left out, or several in a row.
        far = rng.random() < 0.2
        start = len(head) + (rng.randint(8, FARTHEST) if far else 0)
        opened = not far
        while asked := next(questions, None):
            question = vary(rng, asked.question)
            ids, weights = writer.turn(question, asked.answer, opened)
            row.add(ids, weights, start, writer.looks(question, asked, opened))
            start, opened = start + len(ids), False
            if row.full() or rng.random() > 0.15:
                break
        if asked is None:
            break


def text_row(rng: Random, writer: Writer, row: Row) -> None:
    while not row.full():
        row.part += 1
        if rng.random() < 0.08:
            ids = [END_OF_TEXT, *writer.words(plain(rng)), END_OF_TEXT]
            row.add(ids, [0.0] + [0.5] * (len(ids) - 1), 0)
            continue
        start = 0
        if rng.random() < 0.15:
            head = [SYSTEM, *writer.words(rng.choice(SYSTEM_TEXTS)), END]
            row.add(head, [ASKED_WEIGHT] * len(head), 0)
            start = len(head)
        for asked, answer in talk(rng):
            ids, weights = writer.turn(vary(rng, asked), answer, False)
            row.add(ids, weights, start)
            # Now and then the next turn is far away, so that long chats are no surprise.
            start += len(ids) + (rng.randint(0, FARTHEST) if rng.random() < 0.1 else 0)


def batch(writer: Writer, seed: int, step: int, pictures: int, talks: int) -> Rows:
    rng = Random(f'{seed}:{step}')
    size = (pictures + talks, LENGTH)
    out = Rows(
        np.full(size, END_OF_TEXT, np.int32), np.zeros(size, np.float32), np.full(size, -1, np.int32),
        np.zeros(size, np.int32), np.full(size, -1, np.int32), np.zeros((*size, 2), np.int32),
        np.zeros((pictures, 64, 64, 3), np.uint8), np.zeros((pictures, IMAGE_TOKENS, 3), np.int32),
    )  # fmt: skip
    for index in range(pictures):
        shown = scene(rng)
        out.tiles[index], out.labels[index] = tile(shown)
        picture_row(rng, writer, Row(out, index), shown)
    for index in range(pictures, pictures + talks):
        text_row(rng, writer, Row(out, index))
    return out


def tiles_only(seed: int, step: int, pictures: int) -> tuple[np.ndarray, np.ndarray]:
    """Tiles and labels alone, more of them with text: for the encoder's own stage."""
    rng = Random(f'{seed}:eye:{step}')
    drawn = [tile(scene(rng, text=0.6)) for _ in range(pictures)]
    return np.stack([pixels for pixels, _ in drawn]), np.stack([labels for _, labels in drawn])
