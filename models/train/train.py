"""Trains the tiny model that sees: seeded, resumable, in stages, on two slow cores. models/README.md has the commands."""

import argparse
import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from heads import heads_loss, looks_loss, word_ids
from model import Params, Shape, decode, encode, init
from rows import ASKED_WEIGHT, Rows, Writer, batch, tiles_only

SHAPE = Shape()
# First the encoder alone learns what each token shows, then all learn to talk about it.
EYE_STEPS, EYE_BATCH = 300, 64
PICTURES, TALKS = 32, 5
# (step, part of the peak learning rate), linear in between.
RATES = ((0, 0.05), (40, 1.0), (1500, 0.95), (3300, 0.02))
STEPS = RATES[-1][0]
# Weight of the training-only heads in the loss once the model talks.
HEADS_WEIGHT = 0.25
# Weight of the decoder's heads that are told where to look, and since when.
LOOKS_WEIGHT, LOOKS_FROM = 0.15, 600
AVERAGED = 0.995


def schedule(peak: float):
    at, part = zip(*RATES, strict=True)
    return lambda step: peak * jnp.interp(step, jnp.array(at), jnp.array(part))


def optimizer(peak: float):
    """Muon for the layers' matrices and the connector, Adam for embeddings, heads, biases and norms."""

    def kind(params: Params) -> dict[str, str]:
        flat = ('embed', 'lm_head', 'head.')
        return {n: 'adam' if v.ndim < 2 or any(f in n for f in flat) else 'muon' for n, v in params.items()}

    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.partition(
            {'muon': optax.contrib.muon(schedule(peak)), 'adam': optax.adam(schedule(0.15 * peak), b2=0.98)}, kind
        ),
    )


def loss(params: Params, rows: Rows, names, look_weight) -> tuple[jax.Array, dict[str, jax.Array]]:
    seen = encode(params, rows.tiles, SHAPE)
    heads, right = heads_loss(params, seen, rows.labels, names)
    logits, seen_by = decode(params, rows.ids, seen, rows.at_image, rows.position, rows.parts, SHAPE)
    looks = looks_loss(seen_by, rows.looks, rows.at_image)
    logits = logits[:, :-1]
    weights = rows.weights[:, 1:] * (rows.parts[:, 1:] == rows.parts[:, :-1])
    each = optax.softmax_cross_entropy_with_integer_labels(logits, rows.ids[:, 1:])
    spoken = weights > ASKED_WEIGHT
    hit = logits.argmax(-1) == rows.ids[:, 1:]
    pictures = rows.tiles.shape[0]
    report = {
        'said': (each * spoken)[:pictures].sum() / spoken[:pictures].sum(),
        'hit': (hit & spoken)[:pictures].sum() / spoken[:pictures].sum(),
        'talk': (each * spoken)[pictures:].sum() / spoken[pictures:].sum(),
        'looks': looks,
        'kind': right['kind'],
        'colour': right['colour'],
    }
    return (each * weights).sum() / weights.sum() + HEADS_WEIGHT * heads + look_weight * looks, report


def eye_loss(params: Params, rows: tuple[jax.Array, jax.Array], names, _) -> tuple[jax.Array, dict[str, jax.Array]]:
    return heads_loss(params, encode(params, rows[0], SHAPE), rows[1], names)


jax.tree_util.register_dataclass(
    Rows, ['ids', 'weights', 'at_image', 'position', 'parts', 'looks', 'tiles', 'labels'], meta_fields=[]
)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument('--model', type=Path, required=True, help='model directory with tokenizer.json')
    cli.add_argument('--checkpoint', type=Path, required=True, help='file to resume from and to save to')
    cli.add_argument('--curve', type=Path, required=True, help='where the loss curve goes (JSON)')
    cli.add_argument('--stop-after', type=int, default=STEPS, help='stop at this step (the schedule stays)')
    cli.add_argument('--peak', type=float, default=0.02)
    cli.add_argument('--seed', type=int, default=1)
    args = cli.parse_args()

    writer = Writer(args.model)
    names = word_ids(writer)
    tx = optimizer(args.peak)
    params = init(SHAPE, args.seed)
    average, state, start, curve, seconds = params, tx.init(params), 0, [], 0.0
    if args.checkpoint.exists():
        params, average, leaves, start, curve, seconds = pickle.loads(args.checkpoint.read_bytes())
        state = jax.tree.unflatten(jax.tree.structure(state), leaves)

    def updater(measure):
        @jax.jit
        def update(params, average, state, rows, step):
            look_weight = jnp.where(step >= LOOKS_FROM, LOOKS_WEIGHT, 0.0)
            (_, report), grads = jax.value_and_grad(measure, has_aux=True)(params, rows, names, look_weight)
            changes, state = tx.update(grads, state, params)
            params = optax.apply_updates(params, changes)
            keep = jnp.minimum(AVERAGED, step / (step + 20))
            average = jax.tree.map(lambda a, p: keep * a + (1 - keep) * p, average, params)
            return params, average, state, report

        return update

    look, talk = updater(eye_loss), updater(loss)

    def rows_of(step: int):
        if step < EYE_STEPS:
            return tiles_only(args.seed, step, EYE_BATCH)
        return batch(writer, args.seed, step, PICTURES, TALKS)

    def save(step: int) -> None:
        host = lambda tree: {name: np.asarray(value) for name, value in tree.items()}  # noqa: E731
        flat = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
        fresh = args.checkpoint.with_suffix('.new')
        fresh.write_bytes(pickle.dumps((host(params), host(average), flat, step, curve, seconds)))
        fresh.replace(args.checkpoint)

    recent: list[dict[str, float]] = []
    began, last = time.monotonic(), min(STEPS, args.stop_after)
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(rows_of, start)
        for step in range(start, last):
            rows = coming.result()
            coming = ahead.submit(rows_of, step + 1)
            update = look if step < EYE_STEPS else talk
            params, average, state, report = update(params, average, state, rows, step)
            recent.append({name: float(value) for name, value in report.items()})
            done = step + 1
            if done % 50 == 0 or done in (last, EYE_STEPS):
                seconds += time.monotonic() - began
                began = time.monotonic()
                means = {name: round(float(np.mean([r[name] for r in recent])), 4) for name in report}
                curve.append({'step': done, 'seconds': round(seconds), **means})
                print(json.dumps(curve[-1]), flush=True)
                recent.clear()
                save(done)
                args.curve.write_text('[\n' + ',\n'.join(json.dumps(point) for point in curve) + '\n]\n')


if __name__ == '__main__':
    main()
