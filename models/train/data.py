"""Batches for training: a pure function of (seed, step), so that a resumed run sees what an unbroken one would."""

from random import Random

import numpy as np
from tokenizers import Tokenizer

from talk import conversation, plain
from tokenizer import END_OF_TEXT, TURN_END, TURN_START

# Weight in the loss of what the model need not say itself.
ASKED_WEIGHT = 0.1


def chat_ids(
    tokenizer: Tokenizer, messages: list[dict[str, str]], answer: bool = False
) -> tuple[list[int], list[float]]:
    """Ids of a conversation in ChatML and each one's weight in the loss; `answer` opens the assistant's turn."""

    def words(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    newline = words('\n')
    ids: list[int] = []
    weights: list[float] = []
    for message in messages:
        said = message['role'] == 'assistant'
        head = [TURN_START, *words(message['role'] + '\n')]
        body = [*words(message['content']), TURN_END]
        ids += [*head, *body, *newline]
        weights += (
            [ASKED_WEIGHT] * len(head) + [1.0 if said else ASKED_WEIGHT] * len(body) + [ASKED_WEIGHT] * len(newline)
        )
    if answer:
        ids += [TURN_START, *words('assistant\n')]
    return ids, weights


def batch(tokenizer: Tokenizer, seed: int, step: int, rows: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and weights, [rows, length + 1] each: conversations back to back, one text without turns among ten."""
    rng = Random(f'{seed}:{step}')
    ids = np.zeros((rows, length + 1), np.int32)
    weights = np.zeros((rows, length + 1), np.float32)
    for row in range(rows):
        line: list[int] = []
        marks: list[float] = []
        while len(line) <= length:
            if rng.random() < 0.1:
                more = [*tokenizer.encode(plain(rng)).ids, END_OF_TEXT]
                line, marks = line + more, marks + [ASKED_WEIGHT] + [0.5] * (len(more) - 1)
            else:
                more, weight = chat_ids(tokenizer, conversation(rng))
                line, marks = line + more, marks + weight
        ids[row], weights[row] = line[: length + 1], marks[: length + 1]
    return ids, weights
