"""Scenes as pixels: as the small tile that the model is trained on, or as the picture that tile is scaled from."""

import struct
import zlib
from pathlib import Path

import numpy as np

import draw
from draw import CELL, FINE, MARGIN, SHAPES, SIDE
from font import GLYPHS
from scene import COLOURS, GRID, Scene, Text, Thing


def cell_of(thing: Thing) -> tuple[int, int]:
    return int(thing.y // CELL), int(thing.x // CELL)


def tile(what: Scene) -> tuple[np.ndarray, np.ndarray]:
    """[SIDE, SIDE, 3] uint8, and for each token (colour, kind, big): [16, 3], zeros where nothing is."""
    out = np.empty((SIDE, SIDE, 3), np.float32)
    out[:] = what.paper
    labels = np.zeros((GRID, GRID, 3), np.int32)
    names = list(COLOURS)
    for thing in what.things:
        label = (1 + names.index(thing.colour), 1 + SHAPES.index(thing.shape))
        if thing.size > CELL:
            mask = draw.big_shape(thing.shape, thing.size, thing.x, thing.y)
            draw.blend(out, mask, thing.rgb, 0, 0)
            labels[mask.reshape(GRID, CELL, GRID, CELL).mean((1, 3)) > 0.2] = (*label, 1)
        else:
            row, col = cell_of(thing)
            dx, dy = thing.x - CELL * (col + 0.5), thing.y - CELL * (row + 0.5)
            mask = draw.small_shape(thing.shape, thing.size, dx, dy)
            draw.blend(out, mask, thing.rgb, CELL * row - MARGIN, CELL * col - MARGIN)
            labels[row, col] = (*label, 0)
    for letter, row, col, text in letters(what):
        mask = draw.small_glyph(letter, text.dx, text.dy)
        draw.blend(out, mask, text.rgb, CELL * row - MARGIN, CELL * col - MARGIN)
        labels[row, col] = (1 + names.index(text.colour), 1 + len(SHAPES) + GLYPHS.index(letter), 0)
    return np.clip(np.round(out), 0, 255).astype(np.uint8), labels.reshape(-1, 3)


def picture(what: Scene) -> np.ndarray:
    """[SIDE * FINE, SIDE * FINE, 3] uint8: what a person would look at."""
    out = np.empty((SIDE * FINE, SIDE * FINE, 3), np.float32)
    out[:] = what.paper
    for thing in what.things:
        draw.blend(out, draw.shape_mask(thing.shape, thing.size, SIDE, thing.x, thing.y), thing.rgb, 0, 0)
    for letter, row, col, text in letters(what):
        top, left = (FINE * (CELL * at - MARGIN) for at in (row, col))
        draw.blend(out, draw.cell_glyph(letter, text.dx, text.dy), text.rgb, top, left)
    return out.astype(np.uint8)


def letters(what: Scene) -> list[tuple[str, int, int, Text]]:
    """Each letter of the text with its row and column."""
    text = what.text
    return [(letter, text.row, text.col + i, text) for i, letter in enumerate(text.words)] if text else []


def write_png(path: Path, pixels: np.ndarray) -> None:
    height, width, _ = pixels.shape
    rows = b''.join(b'\0' + row.tobytes() for row in pixels)
    parts = {
        b'IHDR': struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0),
        b'IDAT': zlib.compress(rows, 9),
        b'IEND': b'',
    }
    chunks = [struct.pack('>I', len(d)) + n + d + struct.pack('>I', zlib.crc32(n + d)) for n, d in parts.items()]
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(chunks))
