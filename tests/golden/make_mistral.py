"""
Makes tests/golden/mistral_tiny: a random Mistral with a sliding window and what transformers computes from it.

    python tests/golden/make_mistral.py tests/golden/mistral_tiny      (needs torch and transformers)

The window of 32 bites in the prompts of 64 and 200 tokens; the script refuses to write a golden where it would not.
"""

import base64
import gzip
import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import GenerationConfig, MistralConfig, MistralForCausalLM

WINDOW, GREEDY = 32, 24


def build(window: int | None) -> MistralForCausalLM:
    config = MistralConfig(
        vocab_size=384, hidden_size=64, intermediate_size=176, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        head_dim=24, max_position_embeddings=2048, sliding_window=window, rms_norm_eps=1e-5, tie_word_embeddings=False,
        bos_token_id=1, eos_token_id=2, pad_token_id=0, attn_implementation='eager')
    return MistralForCausalLM(config).eval()


def widen(model: MistralForCausalLM) -> None:
    """Weights wide enough that a mistake anywhere shows in the logits."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, value in sorted(model.named_parameters()):
            noise = torch.randn(value.shape, generator=generator)
            if value.ndim == 1:
                value.copy_(1 + 0.3 * noise)
            else:
                value.copy_(noise if 'embed' in name else 1.6 * value.shape[-1] ** -0.5 * noise)


def logits(model: MistralForCausalLM, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0]


def case(model: MistralForCausalLM, ids: list[int]) -> dict:
    """Greedy steps are whole forward passes without a cache: nothing but attention knows of the window."""
    at = logits(model, ids)
    greedy, margins, line = [], [], list(ids)
    for _ in range(GREEDY):
        top = torch.topk(logits(model, line)[-1], 2)
        greedy.append(int(top.indices[0]))
        margins.append(float(top.values[0] - top.values[1]))
        line.append(greedy[-1])
    raw = at[-1].float().numpy().astype('<f4').tobytes()
    return {'input_ids': ids, 'last_logits': base64.b64encode(raw).decode(), 'argmax': at.argmax(-1).tolist(), 'greedy': greedy, 'margins': margins}


def main(out: Path) -> None:
    torch.set_num_threads(1)
    model, whole = build(WINDOW), build(None)
    widen(model)
    whole.load_state_dict(model.state_dict())
    generator = torch.Generator().manual_seed(12)
    prompts = [torch.randint(3, 384, (length,), generator=generator).tolist() for length in (1, 7, 64, 200)]
    for ids in prompts:
        far = (logits(model, ids)[-1] - logits(whole, ids)[-1]).abs().max().item()
        print(f'{len(ids)} tokens: last logits differ by {far:.3g} from those without a window')
        assert far > 0.1 if len(ids) > WINDOW else far == 0
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    model.save_pretrained(out)
    golden = {
        'made_with': f'transformers {transformers.__version__}, torch {torch.__version__}, CPU float32, eager attention',
        'architecture': model.config.architectures, 'sliding_window': WINDOW, 'cases': [case(model, ids) for ids in prompts]}
    (out / 'golden.json.gz').write_bytes(gzip.compress(json.dumps(golden).encode(), 9, mtime=0))
    # The same configuration in the style of transformers 4: a loader takes both.
    config = json.loads((out / 'config.json').read_text())
    rope = config.pop('rope_parameters')
    config.update(rope_theta=rope['rope_theta'], rope_scaling=None, torch_dtype=config.pop('dtype'))
    del config['transformers_version']
    (out / 'config.v4.json').write_text(json.dumps(dict(sorted(config.items())), indent=2) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
