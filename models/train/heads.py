"""What the encoder is told in training beside the answers: what each image token shows, in the words' own directions.

A token that shows a red ring must point where the embeddings of "red" and "ring" point, so that the decoder finds what a
question names by likeness. Two heads of the decoder are told where to look. Nothing of this is exported but the weights that it shaped."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from draw import SHAPES
from font import GLYPHS
from model import TEXT, Params, rms
from rows import Writer
from scene import COLOURS


def word_ids(writer: Writer) -> tuple[np.ndarray, np.ndarray]:
    """Token ids of the colours' names, and of the shapes' names, letters and digits: each is one token."""
    kinds = [*(f' {shape}' for shape in SHAPES), *GLYPHS]
    ids = [[writer.words(word) for word in words] for words in ([f' {c}' for c in COLOURS], kinds)]
    if any(len(word) != 1 for words in ids for word in words):
        raise ValueError('the tokenizer cuts a word that must be one token')
    return tuple(np.array(words)[:, 0] for words in ids)


def heads_loss(
    params: Params, seen: jax.Array, labels: jax.Array, ids: tuple[np.ndarray, np.ndarray]
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Loss, and the share of right colours and kinds. Tokens that show something count five times as much.

    seen [pictures, tokens, hidden]; labels [pictures, tokens, 3]: colour, kind (0: none), part of a big object."""
    x = rms(seen, 1.0, 1e-5)
    words, none = params[TEXT + 'embed_tokens.weight'], params['head.none']
    at = jnp.broadcast_to(jnp.arange(seen.shape[1]), labels.shape[:2])
    heads = {
        'colour': (jnp.concatenate([none[:1], words[ids[0]]]), labels[..., 0]),
        'kind': (jnp.concatenate([none[1:], words[ids[1]]]), labels[..., 1]),
        'big': (params['head.big'], labels[..., 2]),
        'position': (params['head.position'], at),
    }
    full = labels[..., 1] > 0
    weight = jnp.where(full, 1.0, 0.2)
    total, right = jnp.float32(0), {}
    for name, (directions, truth) in heads.items():
        logits = x @ directions.T
        each = optax.softmax_cross_entropy_with_integer_labels(logits, truth)
        total += (each * weight).sum() / weight.sum()
        if name in ('colour', 'kind'):
            right[name] = ((logits.argmax(-1) == truth) & full).sum() / full.sum()
    return total, right


# The layers whose first heads look at what a question names, and at what the answer tells next.
LOOKING = (1, 2)


def looks_loss(seen_by: list[jax.Array], looks: jax.Array, at_image: jax.Array) -> jax.Array:
    """How little of their attention the two heads give to the image tokens that they should look at.

    seen_by: each layer's [rows, time, time]; looks [rows, time, 2], bits; at_image [rows, time]."""
    total = jnp.float32(0)
    for i, layer in enumerate(LOOKING):
        bit = (looks[:, :, None, i] >> jnp.maximum(at_image, 0)[:, None]) & 1
        mass = (seen_by[layer] * (bit & (at_image >= 0)[:, None])).sum(-1)
        told = looks[..., i] > 0
        total += (-jnp.log(mass + 1e-4) * told).sum() / told.sum()
    return total
