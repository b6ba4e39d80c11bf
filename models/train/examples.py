"""The pictures that ship as examples: scenes of fixed seeds, with questions about each and their right answers."""

import json
import sys
from pathlib import Path
from random import Random

from ask import ask, description
from paint import picture, write_png
from scene import WORDS, Scene, scene

# Name: (seed, kinds of questions asked after the description).
PICTURES = {
    'shapes': ('shapes 4', ('count all', 'where', 'relation', 'exists')),
    'word': ('word 6', ('read', 'text colour', 'what at')),
    'number': ('number 6', ('read', 'colour', 'count shape')),
    'one': ('one 4', ('colour', 'shape')),
}


def find(name: str, seed: str) -> Scene:
    """The first scene of a seed that fits its name."""
    rng = Random(seed)
    while True:
        shown = scene(rng)
        count, text = len(shown.things), shown.text
        fits = {
            'shapes': count == 4 and not text,
            'word': count == 2 and text and text.words in WORDS,
            'number': count == 3 and text and text.noun == 'number',
            'one': shown.big(),
        }
        if fits[name]:
            return shown


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    listed = []
    for name, (seed, kinds) in PICTURES.items():
        shown, rng = find(name, seed), Random(f'{seed} questions')
        write_png(out / f'{name}.png', picture(shown))
        asked = [ask(rng, shown, kind) for kind in kinds]
        questions = [{'question': 'Describe the picture.', 'answer': description(shown)}]
        questions += [{'question': a.question, 'answer': a.answer} for a in asked if a]
        listed.append({'picture': f'{name}.png', 'questions': questions})
    (out / 'questions.json').write_text(json.dumps(listed, indent=2) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
