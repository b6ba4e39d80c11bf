"""A Llama-shaped decoder in JAX: parameters by their Hugging Face names, [out, in] matrices, rotate-half RoPE."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class Shape:
    vocab: int = 1024
    hidden: int = 128
    inter: int = 384
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    context: int = 512
    theta: float = 10000.0
    eps: float = 1e-5


def init(shape: Shape, seed: int) -> dict[str, jax.Array]:
    """Fresh parameters, float32. Residual outputs start smaller by the square root of twice the depth."""
    h, q, kv = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    sizes = {
        'self_attn.q_proj': (q, h),
        'self_attn.k_proj': (kv, h),
        'self_attn.v_proj': (kv, h),
        'self_attn.o_proj': (h, q),
        'mlp.gate_proj': (shape.inter, h),
        'mlp.up_proj': (shape.inter, h),
        'mlp.down_proj': (h, shape.inter),
    }
    keys = iter(jax.random.split(jax.random.key(seed), 1 + shape.layers * len(sizes)))
    out = {
        'model.embed_tokens.weight': 0.02 * jax.random.normal(next(keys), (shape.vocab, h)),
        'model.norm.weight': jnp.ones(h),
    }
    for layer in range(shape.layers):
        at = f'model.layers.{layer}.'
        out[at + 'input_layernorm.weight'] = jnp.ones(h)
        out[at + 'post_attention_layernorm.weight'] = jnp.ones(h)
        for name, size in sizes.items():
            scale = size[1] ** -0.5 / ((2 * shape.layers) ** 0.5 if name.endswith(('o_proj', 'down_proj')) else 1)
            out[f'{at}{name}.weight'] = scale * jax.random.normal(next(keys), size)
    return out


def rms(x: jax.Array, weight: jax.Array, eps: float) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + eps) * weight


def rope(x: jax.Array, theta: float) -> jax.Array:
    """Rotates [batch, time, heads, dim]: the first half of the dimensions pairs with the second."""
    half = x.shape[-1] // 2
    angle = jnp.arange(x.shape[1])[:, None] * theta ** (-jnp.arange(half) / half)
    cos, sin = jnp.cos(angle)[None, :, None], jnp.sin(angle)[None, :, None]
    left, right = x[..., :half], x[..., half:]
    return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], -1)


def forward(params: dict[str, jax.Array], ids: jax.Array, shape: Shape) -> jax.Array:
    """Logits [batch, time, vocab] of ids [batch, time]."""
    batch, time = ids.shape
    group = shape.heads // shape.kv_heads
    mask = jnp.where(jnp.tril(jnp.ones((time, time), bool)), 0.0, -1e9)
    x = params['model.embed_tokens.weight'][ids]
    for layer in range(shape.layers):
        at = f'model.layers.{layer}.'
        w = {
            name.removeprefix(at).removesuffix('.weight'): value
            for name, value in params.items()
            if name.startswith(at)
        }
        y = rms(x, w['input_layernorm'], shape.eps)
        q = rope((y @ w['self_attn.q_proj'].T).reshape(batch, time, shape.heads, -1), shape.theta)
        k = rope((y @ w['self_attn.k_proj'].T).reshape(batch, time, shape.kv_heads, -1), shape.theta)
        v = (y @ w['self_attn.v_proj'].T).reshape(batch, time, shape.kv_heads, -1)
        q = q.reshape(batch, time, shape.kv_heads, group, -1)
        scores = jnp.einsum('btkgd,bskd->bkgts', q, k) * shape.head_dim**-0.5 + mask
        seen = jnp.einsum('bkgts,bskd->btkgd', jax.nn.softmax(scores, -1), v)
        x = x + seen.reshape(batch, time, -1) @ w['self_attn.o_proj'].T
        y = rms(x, w['post_attention_layernorm'], shape.eps)
        x = x + (jax.nn.silu(y @ w['mlp.gate_proj'].T) * (y @ w['mlp.up_proj'].T)) @ w['mlp.down_proj'].T
    return rms(x, params['model.norm.weight'], shape.eps) @ params['model.embed_tokens.weight'].T
