"""What a picture shows: objects in cells of a 4 x 4 grid, at most one text, or one big object.

A cell is exactly what becomes one image token. Places have nine names; no two objects share a place."""

import zlib
from dataclasses import dataclass, field
from random import Random

from draw import CELL, SHAPES, SIDE
from font import GLYPHS

GRID = SIDE // CELL
# Each colour is any of these, a little varied.
COLOURS = {
    'red': ((255, 0, 0), (215, 30, 35), (190, 20, 20)),
    'orange': ((255, 165, 0), (245, 135, 20)),
    'yellow': ((255, 255, 0), (245, 220, 40)),
    'green': ((0, 128, 0), (0, 255, 0), (40, 165, 60)),
    'blue': ((0, 0, 255), (40, 85, 215), (60, 120, 230)),
    'purple': ((128, 0, 128), (130, 55, 175)),
    'pink': ((255, 105, 180), (250, 150, 190), (255, 192, 203)),
    'black': ((0, 0, 0), (35, 35, 35)),
}
HELD_PAIRS = {
    ('orange', 'ring'), ('pink', 'cross'), ('purple', 'triangle'),
    ('black', 'diamond'), ('green', 'star'), ('yellow', 'square'),
}  # fmt: skip
WORDS = """
SUN CAT DOG CAR BUS HAT CUP BED BOX KEY MAP NET OWL PIG RAT SEA TEA TOY VAN WEB ZOO ANT BEE COW EGG FOX HEN ICE JAM
LEG MAN NUT OAK PEN RUG SKY TIE ARM BAG EAR FAN GUM INK JET LIP MUD OIL PIE SAW TIN BALL BIRD BOAT BOOK CAKE COAT
DOOR DUCK FISH FROG GATE GOAT HAND HOME KING KITE LAMP LEAF LION MILK MOON NEST RAIN RING ROAD ROCK ROSE SHIP SHOE
SNOW SOAP SONG STAR TENT TREE WIND WOLF YES NO UP GO HI OK STOP OPEN EXIT PUSH PULL SALE TAXI CAFE BANK SHOP FOOD
FREE HELP NEWS PARK PLAY SLOW TIME WORK ZERO NATS LOVE FAST COLD WARM BLUE
""".split()
HELD_WORDS = {'HAT', 'FOX', 'TEA', 'PEN', 'SKY', 'BIRD', 'CAKE', 'MOON', 'TREE', 'GOAT', 'SNOW', 'EXIT', 'TAXI', 'UP'}
ROW_NAMES, COL_NAMES = ('top', '', 'bottom'), ('left', '', 'right')
BAND = (0, 1, 1, 2)  # the band of a cell's row or column
BANDS = [(r, c) for r in range(3) for c in range(3)]


def place_name(band: tuple[int, int]) -> str:
    return f'{ROW_NAMES[band[0]]} {COL_NAMES[band[1]]}'.strip() or 'centre'


def held_number(text: str) -> bool:
    return zlib.crc32(f'number {text}'.encode()) % 100 < 12


@dataclass(frozen=True)
class Thing:
    """An object. `size` in pixels; (x, y) its middle; `band` its place."""

    colour: str
    shape: str
    band: tuple[int, int]
    x: float
    y: float
    size: float
    rgb: tuple[int, int, int]

    @property
    def name(self) -> str:
        return f'{self.colour} {self.shape}'

    @property
    def cells(self) -> int:
        """Bits of the image tokens that show it."""
        if self.size <= CELL:
            return 1 << (int(self.y // CELL) * GRID + int(self.x // CELL))
        near = range(GRID * GRID)
        middles = [(CELL * (i % GRID + 0.5), CELL * (i // GRID + 0.5)) for i in near]
        reach = 0.45 * self.size
        return sum(1 << i for i in near if max(abs(middles[i][0] - self.x), abs(middles[i][1] - self.y)) < reach)


@dataclass(frozen=True)
class Text:
    words: str
    colour: str
    row: int
    col: int
    dx: float
    dy: float
    rgb: tuple[int, int, int]

    @property
    def cells(self) -> list[int]:
        """The bit of each letter's image token."""
        return [1 << (self.row * GRID + self.col + i) for i in range(len(self.words))]

    @property
    def noun(self) -> str:
        return 'number' if self.words.isdigit() else 'word'

    @property
    def band(self) -> tuple[int, int]:
        return (BAND[self.row], 1)


@dataclass
class Scene:
    things: list[Thing] = field(default_factory=list)
    text: Text | None = None
    paper: tuple[int, int, int] = (255, 255, 255)

    def big(self) -> bool:
        return any(thing.size > CELL for thing in self.things)


def shade(rng: Random, name: str) -> tuple[int, int, int]:
    return tuple(min(255, max(0, level + rng.randint(-10, 10))) for level in rng.choice(COLOURS[name]))


def paper(rng: Random) -> tuple[int, int, int]:
    if rng.random() < 0.4:
        return (255, 255, 255)
    level = rng.randint(228, 250)
    return tuple(level + rng.randint(-5, 5) for _ in range(3))


def jitter(rng: Random) -> float:
    return rng.choice((-1.0, -0.5, 0.0, 0.0, 0.5, 1.0))


def some_text(rng: Random, held: bool) -> str:
    """A number of up to four digits, a known word, or letters in any order."""
    if rng.random() < 0.45:
        while True:
            text = str(rng.randrange(10 ** rng.choice((1, 2, 2, 3, 3, 4))))
            if held_number(text) == held:
                return text
    if held:
        return rng.choice(sorted(HELD_WORDS))
    while True:
        letters = ''.join(rng.choice(GLYPHS[:26]) for _ in range(rng.choice((2, 3, 3, 4, 4))))
        text = rng.choice(WORDS) if rng.random() < 0.4 else letters
        if text not in HELD_WORDS:
            return text


def pairs(rng: Random, count: int, held: bool) -> list[tuple[str, str]]:
    """Colour and shape of each object; a third of the pictures are made of few colours or few shapes."""
    colours, shapes = list(COLOURS), list(SHAPES)
    if rng.random() < 0.35:
        colours = rng.sample(colours, rng.randint(1, 3))
    elif rng.random() < 0.5:
        shapes = rng.sample(shapes, rng.randint(1, 3))
    if held:
        return [rng.choice(sorted(HELD_PAIRS)) for _ in range(count)]
    return rng.choices([(c, s) for c in colours for s in shapes if (c, s) not in HELD_PAIRS] or [('red', 'ring')], k=count)


def big_scene(rng: Random, held: bool) -> Scene:
    size = rng.choice((22, 26, 30, 36, 42, 48, 54))
    band = (1, 1) if size > 30 else rng.choice(BANDS)
    spot = [{0: size / 2 + 1, 1: SIDE / 2, 2: SIDE - 1 - size / 2}[b] for b in band]
    y, x = (min(max(s + rng.choice((-2, 0, 0, 2)), size / 2), SIDE - size / 2) for s in spot)
    ((colour, shape),) = pairs(rng, 1, held)
    return Scene([Thing(colour, shape, band, x, y, size, shade(rng, colour))], None, paper(rng))


def scene(rng: Random, held_pairs: bool = False, held_text: bool = False, text: float = 0.42) -> Scene:
    """A picture to train on; `held_…`: made of what training never shows instead."""
    if rng.random() < 0.08 and not held_text:
        return big_scene(rng, held_pairs)
    out = Scene(paper=paper(rng))
    free = [(r, c) for r in range(GRID) for c in range(GRID)]
    if held_text or rng.random() < text:
        words = some_text(rng, held_text)
        colour = rng.choice(list(COLOURS))
        row = rng.randrange(GRID)
        col = rng.randint(0, GRID - len(words))
        out.text = Text(words, colour, row, col, jitter(rng), jitter(rng) / 2, shade(rng, colour))
        free = [cell for cell in free if BAND[cell[0]] != BAND[row]]
    count = rng.choices(range(7), (3, 17, 20, 20, 15, 13, 12))[0]
    if held_pairs:
        count = max(1, count)
    taken: set[tuple[int, int]] = set()
    rng.shuffle(free)
    for colour, shape in pairs(rng, count, held_pairs):
        cell = next((cell for cell in free if (BAND[cell[0]], BAND[cell[1]]) not in taken), None)
        if cell is None:
            break
        band = (BAND[cell[0]], BAND[cell[1]])
        taken.add(band)
        x, y = (CELL * (at + 0.5) + jitter(rng) for at in (cell[1], cell[0]))
        size = rng.choice((11.0, 12.0, 13.0, 14.0, 14.0))
        out.things.append(Thing(colour, shape, band, x, y, size, shade(rng, colour)))
    out.things.sort(key=lambda thing: (int(thing.y // CELL), int(thing.x // CELL)))
    return out
