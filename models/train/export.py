"""Writes a checkpoint's averaged weights as a Hugging Face directory of the Idefics3 family, in float16."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tokenizer import END, END_OF_TEXT, IMAGE
from train import SHAPE


def tensors(checkpoint: Path) -> dict[str, np.ndarray]:
    average = pickle.loads(checkpoint.read_bytes())[1]
    out = {name: value for name, value in average.items() if not name.startswith('head.')}
    patch = 'model.vision_model.embeddings.patch_embedding.weight'
    out[patch] = out[patch].reshape(-1, 3, SHAPE.patch, SHAPE.patch)
    return {name: np.ascontiguousarray(value, np.float16) for name, value in out.items()}


CONFIG = {
    'architectures': ['Idefics3ForConditionalGeneration'],
    'bos_token_id': END_OF_TEXT,
    'eos_token_id': END,
    'pad_token_id': END_OF_TEXT,
    'image_token_id': IMAGE,
    'model_type': 'idefics3',
    'scale_factor': SHAPE.shuffle,
    'text_config': {
        'attention_bias': False,
        'bos_token_id': END_OF_TEXT,
        'eos_token_id': END,
        'head_dim': SHAPE.head_dim,
        'hidden_act': 'silu',
        'hidden_size': SHAPE.hidden,
        'intermediate_size': SHAPE.inter,
        'max_position_embeddings': SHAPE.context,
        'mlp_bias': False,
        'model_type': 'llama',
        'num_attention_heads': SHAPE.heads,
        'num_hidden_layers': SHAPE.layers,
        'num_key_value_heads': SHAPE.kv_heads,
        'pad_token_id': END_OF_TEXT,
        'rms_norm_eps': SHAPE.eps,
        'rope_theta': SHAPE.theta,
        'vocab_size': SHAPE.vocab,
    },
    'tie_word_embeddings': False,
    'torch_dtype': 'float16',
    'use_cache': True,
    'vision_config': {
        'hidden_act': 'gelu_pytorch_tanh',
        'hidden_size': SHAPE.eye_hidden,
        'image_size': SHAPE.image,
        'intermediate_size': SHAPE.eye_inter,
        'layer_norm_eps': SHAPE.eye_eps,
        'model_type': 'idefics3_vision',
        'num_attention_heads': SHAPE.eye_heads,
        'num_channels': 3,
        'num_hidden_layers': SHAPE.eye_layers,
        'patch_size': SHAPE.patch,
    },
}
GENERATION = {
    'bos_token_id': END_OF_TEXT,
    'do_sample': False,
    'eos_token_id': [END, END_OF_TEXT],
    'pad_token_id': END_OF_TEXT,
}
PICTURES = {
    'do_convert_rgb': True,
    'do_image_splitting': False,
    'do_normalize': True,
    'do_pad': True,
    'do_rescale': True,
    'do_resize': True,
    'image_mean': [0.5, 0.5, 0.5],
    'image_processor_type': 'Idefics3ImageProcessor',
    'image_std': [0.5, 0.5, 0.5],
    'max_image_size': {'longest_edge': SHAPE.image},
    'processor_class': 'Idefics3Processor',
    'resample': 1,
    'rescale_factor': 1 / 255,
    'size': {'longest_edge': SHAPE.image},
}
PROCESSOR = {'image_seq_len': SHAPE.tokens, 'processor_class': 'Idefics3Processor'}


def main(checkpoint: Path, out: Path) -> None:
    save_file(tensors(checkpoint), out / 'model.safetensors', metadata={'format': 'pt'})
    files = {
        'config': CONFIG, 'generation_config': GENERATION, 'preprocessor_config': PICTURES,
        'processor_config': PROCESSOR,
    }  # fmt: skip
    for name, content in files.items():
        (out / f'{name}.json').write_text(json.dumps(content, indent=2) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]), Path(sys.argv[2]))
