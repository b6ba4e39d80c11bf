"""Writes a checkpoint as a Hugging Face model directory: float16 weights, config.json, generation_config.json."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tokenizer import END_OF_TEXT, TURN_END
from train import SHAPE


def main(checkpoint: Path, out: Path) -> None:
    params = pickle.loads(checkpoint.read_bytes())[0]
    save_file(
        {name: np.ascontiguousarray(value, np.float16) for name, value in params.items()},
        out / 'model.safetensors',
        metadata={'format': 'pt'},
    )
    config = {
        'architectures': ['LlamaForCausalLM'],
        'attention_bias': False,
        'attention_dropout': 0.0,
        'bos_token_id': END_OF_TEXT,
        'eos_token_id': TURN_END,
        'head_dim': SHAPE.head_dim,
        'hidden_act': 'silu',
        'hidden_size': SHAPE.hidden,
        'initializer_range': 0.02,
        'intermediate_size': SHAPE.inter,
        'max_position_embeddings': SHAPE.context,
        'mlp_bias': False,
        'model_type': 'llama',
        'num_attention_heads': SHAPE.heads,
        'num_hidden_layers': SHAPE.layers,
        'num_key_value_heads': SHAPE.kv_heads,
        'pad_token_id': END_OF_TEXT,
        'rms_norm_eps': SHAPE.eps,
        'rope_scaling': None,
        'rope_theta': SHAPE.theta,
        'tie_word_embeddings': True,
        'torch_dtype': 'float16',
        'use_cache': True,
        'vocab_size': SHAPE.vocab,
    }
    generation = {
        'bos_token_id': END_OF_TEXT,
        'do_sample': False,
        'eos_token_id': [TURN_END, END_OF_TEXT],
        'pad_token_id': END_OF_TEXT,
    }
    (out / 'config.json').write_text(json.dumps(config, indent=2) + '\n')
    (out / 'generation_config.json').write_text(json.dumps(generation, indent=2) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]), Path(sys.argv[2]))
