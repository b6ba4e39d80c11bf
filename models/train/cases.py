"""Questions with their right answers for evaluate.ts: on fresh scenes, and on what training never saw.

Writes pictures of 256 pixels and cases.json: what is measured goes the whole way of a user's picture."""

import argparse
import json
from collections import Counter
from pathlib import Path
from random import Random

from ask import WEIGHTS, Asked, a, ask
from paint import picture, write_png
from scene import HELD_PAIRS, Scene, scene
from talk import KINDS, vary

# Kinds whose answer turns on what is held out.
ABOUT_PAIRS = ('describe', 'colour', 'shape', 'exists', 'where', 'what at', 'relation')


def majority(kind: str) -> str:
    """The commonest answer of this kind in training."""
    rng = Random(f'majority {kind}')
    some = (ask(rng, scene(rng), kind) for _ in range(4000))
    return Counter(asked.answer for asked in some if asked).most_common(1)[0][0]


def about_pair(rng: Random, kind: str) -> tuple[Scene, Asked] | None:
    """A question that turns on a colour and shape that training never put together."""
    held = [f'{colour} {shape}' for colour, shape in sorted(HELD_PAIRS)]
    if kind == 'exists' and rng.random() < 0.5:
        shown = scene(rng)
        asked = ask(rng, shown, kind)
        absent = Asked(kind, f'Do you see {a(rng.choice(held))}?', 'No.')
        return (shown, absent) if asked and asked.answer == 'No.' else None
    shown = scene(rng, held_pairs=True)
    asked = ask(rng, shown, kind)
    told = f'{asked.question} {asked.answer}'.lower() if asked else ''
    # Colour and shape are asked of half a pair each; a relation may name its things by their shapes.
    sure = kind in ('colour', 'shape', 'relation') or any(name in told for name in held)
    return (shown, asked) if asked and sure else None


def case(rng: Random, kind: str, split: str) -> tuple[Scene, Asked] | None:
    """A scene and a question of this kind that belong to this split, or None: draw again."""
    if split == 'pairs':
        return about_pair(rng, kind)
    shown = scene(rng, held_text=split == 'text')
    asked = ask(rng, shown, kind, held=split == 'wording')
    return (shown, asked) if asked else None


def picture_cases(out: Path, limit: int) -> list[dict]:
    cases = []
    for kind in WEIGHTS:
        common = majority(kind)
        splits = ['fresh', 'wording'] + (['pairs'] if kind in ABOUT_PAIRS else []) + (['text'] if kind == 'read' else [])
        for split in splits:
            rng, made = Random(f'case {kind} {split}'), 0
            while made < limit:
                found = case(rng, kind, split)
                if found is None:
                    continue
                shown, asked = found
                name = f'{kind} {split} {made}.png'.replace(' ', '-')
                write_png(out / name, picture(shown))
                held = {'text': f'unseen {shown.text.noun}' if shown.text else '', 'pairs': 'unseen pair'}
                question = asked.question if split == 'wording' else vary(rng, asked.question)
                cases.append({
                    'kind': kind, 'split': held.get(split, split), 'picture': name, 'question': question,
                    'answer': asked.answer, 'common': asked.answer == common,
                })  # fmt: skip
                made += 1
    return cases


def talk_cases(limit: int) -> list[dict]:
    cases = []
    for name, (make, _) in KINDS.items():
        rng = Random(f'majority {name}')
        common = Counter(make(rng)[0][1] for _ in range(4000)).most_common(1)[0][0]
        for split in ('known', 'wording'):
            rng = Random(f'case {name} {split}')
            asked = dict.fromkeys(make(rng, split == 'wording')[0] for _ in range(limit))
            cases += [
                {'kind': name, 'split': split, 'question': question, 'answer': answer, 'common': answer == common}
                for question, answer in asked
            ]
    return cases


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument('out', type=Path)
    cli.add_argument('--limit', type=int, default=100, help='cases of each kind and split')
    args = cli.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    cases = picture_cases(args.out, args.limit) + talk_cases(args.limit)
    (args.out / 'cases.json').write_text('[\n' + ',\n'.join(json.dumps(case) for case in cases) + '\n]\n')
    print(len(cases), 'cases')


if __name__ == '__main__':
    main()
