"""Words and phrases made by rule: plurals, and words that nobody knows."""

from random import Random

import facts as f


def plural(noun: str) -> str:
    """Regular English plural."""
    if noun.endswith(('s', 'x', 'ch', 'sh')):
        return noun + 'es'
    return noun[:-1] + 'ies' if noun.endswith('y') and noun[-2] not in 'aeiou' else noun + 's'


def made_up(count: int, seed: int = 7) -> list[str]:
    """Pronounceable words that nobody knows: they teach copying instead of knowing."""
    rng = Random(seed)
    heads = 'b br c ch cl d dr f fl g gr h j k l m n p pl qu r s sh sl st t th tr v w x y z'.split() + ['']
    middles, tails = 'a e i o u ai ea oo ou'.split(), 'b ck d l m n nd ng p r rt st t x z'.split() + [''] * 6
    return sorted(
        {
            ''.join(
                rng.choice(heads) + rng.choice(middles) + rng.choice(tails) for _ in range(rng.choice([1, 2, 2, 3]))
            )
            for _ in range(count)
        }
        - {''}
    )


def phrases(count: int) -> list[str]:
    """One to four known words in any order: what they are worth is that they cannot be guessed, only copied."""
    rng, known = (
        Random(8),
        sorted({*f.REGULAR_NOUNS, *f.REPEATABLE, *f.COLOURS.values(), *f.OPPOSITES, *f.CAPITALS, *f.DAYS, *f.NAMES}),
    )
    return sorted(
        {' '.join(rng.choice([*known, *made_up(9, i)]) for _ in range(rng.randint(1, 4))) for i in range(count)}
    )
