"""Greedy answers to what training never saw: exact-answer accuracy by kind, beside the majority answer."""

import argparse
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from data import chat_ids
from model import forward
from talk import TRAIN, held_out
from tokenizer import TURN_END
from train import SHAPE

ROWS, LONGEST = 32, 96


class Answerer:
    """Batched greedy decoding by whole forward passes: slow, short, and with no cache to be wrong."""

    def __init__(self, directory: Path):
        self.tokenizer = Tokenizer.from_file(str(directory / 'tokenizer.json'))
        params = {
            name: jnp.asarray(value, jnp.float32) for name, value in load_file(directory / 'model.safetensors').items()
        }

        @jax.jit
        def top(ids, last):
            logits = forward(params, ids, SHAPE)
            return jax.lax.top_k(logits[jnp.arange(ids.shape[0]), last], 2)

        self.top = top

    def __call__(self, conversations: list) -> list[tuple[str, float]]:
        """The answer to each conversation and the smallest margin (top-1 minus top-2) on its way."""
        prompts = [chat_ids(self.tokenizer, messages, answer=True)[0] for messages in conversations]
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        out: list[tuple[str, float]] = [('', 0.0)] * len(prompts)
        for start in range(0, len(order), ROWS):
            some = order[start : start + ROWS]
            for i, answer in zip(some, self.some([prompts[i] for i in some])):
                out[i] = answer
        return out

    def some(self, prompts: list[list[int]]) -> list[tuple[str, float]]:
        lines, answers, margins = [list(p) for p in prompts], [[] for _ in prompts], [math.inf] * len(prompts)
        open_rows = set(range(len(prompts)))
        for _ in range(LONGEST):
            width = 32 * math.ceil(max(map(len, lines)) / 32)
            ids = np.zeros((ROWS, width), np.int32)
            last = np.zeros(ROWS, np.int32)
            for row, line in enumerate(lines):
                ids[row, : len(line)], last[row] = line, len(line) - 1
            values, tokens = map(np.asarray, self.top(ids, last))
            for row in list(open_rows):
                margins[row] = min(margins[row], float(values[row, 0] - values[row, 1]))
                token = int(tokens[row, 0])
                if token == TURN_END:
                    open_rows.remove(row)
                else:
                    lines[row].append(token)
                    answers[row].append(token)
            if not open_rows:
                break
        return [(self.tokenizer.decode(a), m) for a, m in zip(answers, margins)]


def majority(name: str) -> str:
    """The commonest answer to questions of this kind in training."""
    same = {'name recalled': 'none', 'tell me more': 'none'}.get(name, name)
    answers = Counter(
        item.answer
        for kind, kept in TRAIN
        for item in kept
        if kind.name == same or (same == 'question' and kind.name.startswith('question:'))
    )
    return answers.most_common(1)[0][0] if answers else ''


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument('--model', type=Path, required=True)
    cli.add_argument('--limit', type=int, default=60, help='cases of each kind and split')
    cli.add_argument('--out', type=Path, help='JSON of the table')
    cli.add_argument('--show', type=int, default=0, help='wrong answers to print for each row')
    cli.add_argument('--ask', nargs='*', default=[], help='prompts to answer instead')
    args = cli.parse_args()
    answer = Answerer(args.model)
    if args.ask:
        for prompt, (text, margin) in zip(args.ask, answer([[{'role': 'user', 'content': p}] for p in args.ask])):
            print(f'{prompt}\n  {text}   [{margin:.2f}]')
        return
    cases = held_out(Random('held out'), args.limit)
    rows: dict[tuple[str, str], list[tuple[bool, bool]]] = defaultdict(list)
    wrong: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (name, split, messages, kind, item), (text, _) in zip(cases, answer([case[2] for case in cases])):
        right = text == item.answer if name in ('name recalled', 'tell me more') else kind.right(item, text)
        rows[name, split].append((right, item.answer == majority(name) != ''))
        if not right:
            wrong[name, split].append(f'{messages[-1]["content"]} -> {text}')
    table = []
    for (name, split), marks in rows.items():
        row = {
            'kind': name,
            'held_out': split,
            'cases': len(marks),
            'accuracy': round(sum(m[0] for m in marks) / len(marks), 3),
            'majority': round(sum(m[1] for m in marks) / len(marks), 3),
        }
        table.append(row)
        print(f'| {name} | {split} | {row["cases"]} | {row["accuracy"]:.1%} | {row["majority"]:.1%} |', flush=True)
        for line in wrong[name, split][: args.show]:
            print('     ', line)
    right, common = np.array([m for marks in rows.values() for m in marks]).mean(0)
    print(f'| all | | {len(cases)} | {right:.1%} | {common:.1%} |')
    if args.out:
        args.out.write_text('[\n' + ',\n'.join(json.dumps(row) for row in table) + '\n]\n')


if __name__ == '__main__':
    main()
