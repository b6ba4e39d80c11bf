"""An Idefics3-shaped model in JAX: a SigLIP-like encoder, pixel shuffle, connector and Llama-like decoder.

Parameters by their Hugging Face names, matrices [out, in]. `head.…` are heads for training only, never exported."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

Params = dict[str, jax.Array]
# Directions of the training-only heads that no word has: no colour and no thing, part of a big one or not, position.
HEADS = {'none': 2, 'big': 2, 'position': 16}


@dataclass(frozen=True)
class Shape:
    vocab: int = 768
    hidden: int = 128
    inter: int = 352
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    context: int = 512
    theta: float = 10000.0
    eps: float = 1e-5
    image: int = 64
    patch: int = 8
    shuffle: int = 2
    eye_hidden: int = 128
    eye_inter: int = 512
    eye_layers: int = 4
    eye_heads: int = 4
    eye_eps: float = 1e-6

    @property
    def tokens(self) -> int:
        return (self.image // self.patch // self.shuffle) ** 2


EYE, TEXT = 'model.vision_model.', 'model.text_model.'


def init(shape: Shape, seed: int) -> Params:
    """Fresh parameters, float32. Residual outputs start smaller by the square root of twice the depth."""
    key = jax.random.key(seed)
    out: Params = {}

    def normal(name: str, size: tuple[int, ...], scale: float) -> None:
        nonlocal key
        key, own = jax.random.split(key)
        out[name] = scale * jax.random.normal(own, size)

    e, h = shape.eye_hidden, shape.hidden
    patch = 3 * shape.patch**2
    normal(EYE + 'embeddings.patch_embedding.weight', (e, patch), patch**-0.5)
    out[EYE + 'embeddings.patch_embedding.bias'] = jnp.zeros(e)
    # As large as what the patches themselves say: positions that start small are learned late.
    normal(EYE + 'embeddings.position_embedding.weight', ((shape.image // shape.patch) ** 2, e), 0.7)
    for layer in range(shape.eye_layers):
        at = f'{EYE}encoder.layers.{layer}.'
        sizes = {f'self_attn.{n}_proj': (e, e) for n in ('q', 'k', 'v', 'out')}
        for name, size in {**sizes, 'mlp.fc1': (shape.eye_inter, e), 'mlp.fc2': (e, shape.eye_inter)}.items():
            small = (2 * shape.eye_layers) ** 0.5 if name.endswith(('out_proj', 'fc2')) else 1
            normal(f'{at}{name}.weight', size, size[1] ** -0.5 / small)
            out[f'{at}{name}.bias'] = jnp.zeros(size[0])
        for name in ('layer_norm1', 'layer_norm2'):
            out[f'{at}{name}.weight'], out[f'{at}{name}.bias'] = jnp.ones(e), jnp.zeros(e)
    out[EYE + 'post_layernorm.weight'], out[EYE + 'post_layernorm.bias'] = jnp.ones(e), jnp.zeros(e)
    wide = e * shape.shuffle**2
    normal('model.connector.modality_projection.proj.weight', (h, wide), wide**-0.5)
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    normal(TEXT + 'embed_tokens.weight', (shape.vocab, h), 0.3)
    out[TEXT + 'norm.weight'] = jnp.ones(h)
    for layer in range(shape.layers):
        at = f'{TEXT}layers.{layer}.'
        out[at + 'input_layernorm.weight'] = jnp.ones(h)
        out[at + 'post_attention_layernorm.weight'] = jnp.ones(h)
        sizes = {
            'self_attn.q_proj': (q, h), 'self_attn.k_proj': (kv, h), 'self_attn.v_proj': (kv, h),
            'self_attn.o_proj': (h, q), 'mlp.gate_proj': (shape.inter, h), 'mlp.up_proj': (shape.inter, h),
            'mlp.down_proj': (h, shape.inter),
        }  # fmt: skip
        for name, size in sizes.items():
            small = (2 * shape.layers) ** 0.5 if name.endswith(('o_proj', 'down_proj')) else 1
            normal(f'{at}{name}.weight', size, size[1] ** -0.5 / small)
    normal('lm_head.weight', (shape.vocab, h), 0.02)
    for name, classes in HEADS.items():
        normal(f'head.{name}', (classes, h), 0.02)
    return out


def part(params: Params, prefix: str) -> Params:
    return {name.removeprefix(prefix): value for name, value in params.items() if name.startswith(prefix)}


def layer_norm(x: jax.Array, w: Params, name: str, eps: float) -> jax.Array:
    x = x - x.mean(-1, keepdims=True)
    x = x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + eps)
    return x * w[f'{name}.weight'] + w[f'{name}.bias']


def linear(x: jax.Array, w: Params, name: str) -> jax.Array:
    return x @ w[f'{name}.weight'].T + w[f'{name}.bias']


def encode(params: Params, tiles: jax.Array, shape: Shape) -> jax.Array:
    """Image tokens [n, tokens, hidden] of tiles [n, image, image, 3], levels 0..255."""
    n, side, p, s = tiles.shape[0], shape.image // shape.patch, shape.patch, shape.shuffle
    pixels = (tiles.astype(jnp.float32) - 127.5) / 127.5
    patches = pixels.reshape(n, side, p, side, p, 3).transpose(0, 1, 3, 5, 2, 4).reshape(n, side * side, 3 * p * p)
    w = part(params, EYE)
    x = linear(patches, w, 'embeddings.patch_embedding') + w['embeddings.position_embedding.weight']
    heads, dim = shape.eye_heads, shape.eye_hidden // shape.eye_heads
    for layer in range(shape.eye_layers):
        w = part(params, f'{EYE}encoder.layers.{layer}.')
        y = layer_norm(x, w, 'layer_norm1', shape.eye_eps)
        q, k, v = (linear(y, w, f'self_attn.{name}_proj').reshape(n, -1, heads, dim) for name in 'qkv')
        scores = jax.nn.softmax(jnp.einsum('nthd,nshd->nhts', q, k) * dim**-0.5, -1)
        x = x + linear(jnp.einsum('nhts,nshd->nthd', scores, v).reshape(x.shape), w, 'self_attn.out_proj')
        y = layer_norm(x, w, 'layer_norm2', shape.eye_eps)
        x = x + linear(jax.nn.gelu(linear(y, w, 'mlp.fc1'), approximate=True), w, 'mlp.fc2')
    x = layer_norm(x, part(params, EYE), 'post_layernorm', shape.eye_eps)
    x = x.reshape(n, side // s, s, side // s, s, -1).transpose(0, 1, 3, 2, 4, 5).reshape(n, shape.tokens, -1)
    return x @ params['model.connector.modality_projection.proj.weight'].T


def rms(x: jax.Array, weight: jax.Array | float, eps: float) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + eps) * weight


def rotate(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """RoPE on [batch, time, heads, dim]: the first half of the dimensions pairs with the second."""
    left, right = jnp.split(x, 2, -1)
    return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], -1)


def decode(
    params: Params, ids: jax.Array, seen: jax.Array, at_image: jax.Array, position: jax.Array, parts: jax.Array,
    shape: Shape,
) -> tuple[jax.Array, list[jax.Array]]:  # fmt: skip
    """Logits [rows, time, vocab] of ids [rows, time], and what each layer's first head looks at [rows, time, time].

    seen: image tokens [pictures, tokens, hidden] of the first rows; at_image [rows, time]: which of its picture's
    tokens stands there, or -1; parts [rows, time]: a token looks back at part 0 and at its own part alone.
    """
    rows, time = ids.shape
    x = params[TEXT + 'embed_tokens.weight'][ids]
    pictures = seen.shape[0]
    if pictures:
        placed = jnp.take_along_axis(seen, jnp.maximum(at_image[:pictures], 0)[..., None], 1)
        x = x.at[:pictures].set(jnp.where(at_image[:pictures, :, None] >= 0, placed, x[:pictures]))
    group = shape.heads // shape.kv_heads
    may = (parts[:, None, :] == 0) | (parts[:, None, :] == parts[:, :, None])
    mask = jnp.where(may & jnp.tril(jnp.ones((time, time), bool)), 0.0, -1e9)[:, None, None]
    half = shape.head_dim // 2
    angle = position[..., None] * shape.theta ** (-jnp.arange(half) / half)
    cos, sin = jnp.cos(angle)[:, :, None], jnp.sin(angle)[:, :, None]
    looks = []
    for layer in range(shape.layers):
        w = part(params, f'{TEXT}layers.{layer}.')
        y = rms(x, w['input_layernorm.weight'], shape.eps)
        q = rotate((y @ w['self_attn.q_proj.weight'].T).reshape(rows, time, shape.heads, -1), cos, sin)
        k = rotate((y @ w['self_attn.k_proj.weight'].T).reshape(rows, time, shape.kv_heads, -1), cos, sin)
        v = (y @ w['self_attn.v_proj.weight'].T).reshape(rows, time, shape.kv_heads, -1)
        q = q.reshape(rows, time, shape.kv_heads, group, -1)
        scores = jax.nn.softmax(jnp.einsum('btkgd,bskd->bkgts', q, k) * shape.head_dim**-0.5 + mask, -1)
        looks.append(scores[:, 0, 0])
        x = x + jnp.einsum('bkgts,bskd->btkgd', scores, v).reshape(rows, time, -1) @ w['self_attn.o_proj.weight'].T
        y = rms(x, w['post_attention_layernorm.weight'], shape.eps)
        x = x + (jax.nn.silu(y @ w['mlp.gate_proj.weight'].T) * (y @ w['mlp.up_proj.weight'].T)) @ w['mlp.down_proj.weight'].T
    return rms(x, params[TEXT + 'norm.weight'], shape.eps) @ params['lm_head.weight'].T, looks
