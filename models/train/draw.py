"""Draws shapes and glyphs as the model will see them: as masks of a 256-pixel picture, scaled to 64 by Lanczos.

Knows nothing of scenes or questions. Scaling is linear, so masks are scaled once, kept, and blended in small."""

from functools import lru_cache

import numpy as np

from font import glyph

SIDE = 64  # pixels of the tile
FINE = 4  # a picture's pixels per tile's pixel
CELL = 16  # pixels of a tile that become one token
MARGIN = 4  # pixels around a cell that a scaled mask may touch
SHAPES = ('circle', 'square', 'triangle', 'diamond', 'star', 'cross', 'ring')


@lru_cache
def scaling(size: int) -> np.ndarray:
    """Lanczos3 from size * FINE pixels to size. [size, size * FINE]"""
    at = (np.arange(size * FINE)[None] + 0.5) / FINE - (np.arange(size)[:, None] + 0.5)
    weights = np.where(np.abs(at) < 3, np.sinc(at) * np.sinc(at / 3), 0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def shape_mask(shape: str, size: float, side: int, x: float, y: float) -> np.ndarray:
    """Coverage of a shape `size` pixels across, its middle at (x, y), in a fine picture of `side` tile pixels."""
    at = (np.arange(side * FINE) + 0.5) / FINE
    u, v = (at[None] - x) / (size / 2), (at[:, None] - y) / (size / 2)
    r = np.hypot(u, v)
    if shape == 'circle':
        inside = r < 1
    elif shape == 'ring':
        inside = (r < 1) & (r > 0.55)
    elif shape == 'square':
        inside = (np.abs(u) < 0.88) & (np.abs(v) < 0.88)
    elif shape == 'triangle':
        inside = (v < 0.85) & (np.abs(u) < (v + 1) / 1.85)
    elif shape == 'diamond':
        inside = np.abs(u) * 1.15 + np.abs(v) < 1
    elif shape == 'cross':
        inside = (np.minimum(np.abs(u), np.abs(v)) < 0.32) & (np.maximum(np.abs(u), np.abs(v)) < 0.95)
    else:  # star: five points, the edge between a point and a notch is straight
        turn = (np.arctan2(u, -v) % (2 * np.pi / 5)) - np.pi / 5
        corner, notch = np.pi / 5, 0.42
        # The line from the notch (at turn 0) to a point (at turn +-36 degrees), in polar coordinates.
        inside = r * (np.sin(corner - np.abs(turn)) + notch * np.sin(np.abs(turn))) < notch * np.sin(corner) * 1.05
        inside = inside & (r < 1.05)
    return np.broadcast_to(inside, (side * FINE, side * FINE)).astype(np.float32)


def scaled(fine: np.ndarray) -> np.ndarray:
    weights = scaling(fine.shape[0] // FINE)
    return weights @ fine @ weights.T


def cell_shape(shape: str, size: float, dx: float, dy: float) -> np.ndarray:
    """A shape in a cell and its margin, fine; (dx, dy): how far it is from the cell's middle."""
    middle = MARGIN + CELL / 2
    return shape_mask(shape, size, CELL + 2 * MARGIN, middle + dx, middle + dy)


def cell_glyph(letter: str, dx: float, dy: float) -> np.ndarray:
    """A capital or digit of 10 x 14 pixels in a cell and its margin, fine."""
    fine = np.zeros([(CELL + 2 * MARGIN) * FINE] * 2, np.float32)
    dots = np.kron(glyph(letter), np.ones((2 * FINE, 2 * FINE), np.float32))
    top, left = round((MARGIN + 1 + dy) * FINE), round((MARGIN + 3 + dx) * FINE)
    fine[top : top + dots.shape[0], left : left + dots.shape[1]] = dots
    return fine


@lru_cache(maxsize=8192)
def small_shape(shape: str, size: float, dx: float, dy: float) -> np.ndarray:
    return scaled(cell_shape(shape, size, dx, dy))


@lru_cache(maxsize=8192)
def small_glyph(letter: str, dx: float, dy: float) -> np.ndarray:
    return scaled(cell_glyph(letter, dx, dy))


@lru_cache(maxsize=4096)
def big_shape(shape: str, size: float, x: float, y: float) -> np.ndarray:
    """A shape in the whole tile. [SIDE, SIDE]"""
    return scaled(shape_mask(shape, size, SIDE, x, y))


def blend(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int], top: int, left: int) -> None:
    """Paints `mask` onto a square picture [side, side, 3] of levels 0..255, cut at its edges."""
    side = picture.shape[0]
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + mask.shape[0], side), min(left + mask.shape[1], side)
    part = mask[y0 - top : y1 - top, x0 - left : x1 - left, None]
    picture[y0:y1, x0:x1] += part * (np.array(colour, np.float32) - picture[y0:y1, x0:x1])
