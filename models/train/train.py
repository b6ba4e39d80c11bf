"""Trains the tiny model: seeded, resumable, minutes on one or two slow cores. models/README.md has the commands."""

import argparse
import json
import pickle
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tokenizers import Tokenizer

from data import batch
from model import Shape, forward, init

SHAPE = Shape()
TOKENS_PER_STEP = 2048
# Most steps see short rows; the last ones see whole contexts, so that late positions are trained too.
SHORT, LONG, LONG_SHARE = 256, 1024, 0.12


def schedule(steps: int, peak: float):
    return optax.join_schedules(
        [optax.linear_schedule(0, peak, 60), optax.linear_schedule(peak, 0.02 * peak, steps - 60)], [60]
    )


def optimizer(steps: int, peak: float):
    """Muon for the layers' matrices, Adam for the embedding and the norms."""

    def kind(params):
        return {name: 'adam' if value.ndim < 2 or 'embed' in name else 'muon' for name, value in params.items()}

    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.partition(
            {
                'muon': optax.contrib.muon(schedule(steps, peak), weight_decay=0.01, consistent_rms=0.2),
                'adam': optax.adam(schedule(steps, 0.5 * peak), b2=0.98),
            },
            kind,
        ),
    )


def loss(params, ids, weights):
    logits = forward(params, ids[:, :-1], SHAPE)
    each = optax.softmax_cross_entropy_with_integer_labels(logits, ids[:, 1:])
    spoken = weights[:, 1:] == 1.0
    return (each * weights[:, 1:]).sum() / weights[:, 1:].sum(), (each * spoken).sum() / spoken.sum()


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument('--model', type=Path, required=True, help='model directory with tokenizer.json')
    cli.add_argument('--checkpoint', type=Path, required=True, help='file to resume from and to save to')
    cli.add_argument('--curve', type=Path, required=True, help='where the loss curve goes (JSON)')
    cli.add_argument('--steps', type=int, default=1800)
    cli.add_argument('--stop-after', type=int, help='stop at this step all the same (the schedule stays)')
    cli.add_argument('--peak', type=float, default=0.008)
    cli.add_argument('--seed', type=int, default=1)
    args = cli.parse_args()

    tokenizer = Tokenizer.from_file(str(args.model / 'tokenizer.json'))
    tx = optimizer(args.steps, args.peak)
    params = init(SHAPE, args.seed)
    state, start, curve, seconds = tx.init(params), 0, [], 0.0
    if args.checkpoint.exists():
        params, leaves, start, curve, seconds = pickle.loads(args.checkpoint.read_bytes())
        state = jax.tree.unflatten(jax.tree.structure(state), leaves)

    @jax.jit
    def update(params, state, ids, weights):
        (_, spoken), grads = jax.value_and_grad(loss, has_aux=True)(params, ids, weights)
        changes, state = tx.update(grads, state, params)
        return optax.apply_updates(params, changes), state, spoken

    def save(step: int) -> None:
        flat = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
        whole = ({name: np.asarray(value) for name, value in params.items()}, flat, step, curve, seconds)
        fresh = args.checkpoint.with_suffix('.new')
        fresh.write_bytes(pickle.dumps(whole))
        fresh.replace(args.checkpoint)

    recent: list[float] = []
    began = time.monotonic()
    last = min(args.steps, args.stop_after or args.steps)
    for step in range(start, last):
        length = SHORT if step < args.steps * (1 - LONG_SHARE) else LONG
        ids, weights = batch(tokenizer, args.seed, step, TOKENS_PER_STEP // length, length)
        params, state, spoken = update(params, state, jnp.asarray(ids), jnp.asarray(weights))
        recent.append(float(spoken))
        done = step + 1
        if done % 50 == 0 or done == last:
            seconds += time.monotonic() - began
            began = time.monotonic()
            curve.append(
                {
                    'step': done,
                    'tokens': done * TOKENS_PER_STEP,
                    'seconds': round(seconds),
                    'loss': round(float(np.mean(recent)), 4),
                }
            )
            print(json.dumps(curve[-1]), flush=True)
            recent.clear()
            args.curve.write_text('[\n' + ',\n'.join(json.dumps(point) for point in curve) + '\n]\n')
        if done % 200 == 0 or done == last:
            save(done)


if __name__ == '__main__':
    main()
