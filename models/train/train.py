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
# (last step, row length) of each stage. What was run: a short try of 1024 showed that such rows need more time than
# there was, so the model's context is 512 and a last stage trains it.
STAGES = ((1584, 256), (1600, 1024), (1850, 512))
STEPS = STAGES[-1][0]
# (step, part of the peak learning rate), linear in between.
RATES = ((0, 0.0), (60, 1.0), (1600, 0.1326), (STEPS, 0.01))


def schedule(peak: float):
    at, part = zip(*RATES, strict=True)
    return lambda step: peak * jnp.interp(step, jnp.array(at), jnp.array(part))


def optimizer(peak: float):
    """Muon for the layers' matrices, Adam for the embedding and the norms."""

    def kind(params):
        return {name: 'adam' if value.ndim < 2 or 'embed' in name else 'muon' for name, value in params.items()}

    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.partition(
            {
                'muon': optax.contrib.muon(schedule(peak), weight_decay=0.01, consistent_rms=0.2),
                'adam': optax.adam(schedule(0.5 * peak), b2=0.98),
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
    cli.add_argument('--stop-after', type=int, default=STEPS, help='stop at this step (the schedule stays)')
    cli.add_argument('--peak', type=float, default=0.008)
    cli.add_argument('--seed', type=int, default=1)
    args = cli.parse_args()

    tokenizer = Tokenizer.from_file(str(args.model / 'tokenizer.json'))
    tx = optimizer(args.peak)
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
    last = min(STEPS, args.stop_after)
    for step in range(start, last):
        length = next(length for end, length in STAGES if step < end)
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
        if done % 50 == 0 or done == last:
            save(done)


if __name__ == '__main__':
    main()
