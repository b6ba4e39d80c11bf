"""Trains the byte-level BPE tokenizer on the generated text and writes tokenizer.json. Run once, before train.py."""

import json
import sys
from pathlib import Path
from random import Random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from talk import conversation, plain

SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
END_OF_TEXT, TURN_START, TURN_END = range(3)
VOCAB = 1024
TEMPLATE = (
    '{% for message in messages %}'
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def texts(count: int):
    rng = Random('tokenizer')
    for _ in range(count):
        yield plain(rng)
        for message in conversation(rng):
            yield message['role'] + '\n'
            yield message['content']


def main(out: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    # Plain text begins as it did in training, after an end of text; the chat template adds none.
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f'{SPECIAL[0]} $A', special_tokens=[(SPECIAL[0], 0)]
    )
    tokenizer.train_from_iterator(
        texts(20_000),
        trainers.BpeTrainer(
            vocab_size=VOCAB,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / 'tokenizer.json'))
    config = {
        'tokenizer_class': 'PreTrainedTokenizerFast',
        'model_max_length': 512,
        'bos_token': '<|endoftext|>',
        'eos_token': '<|im_end|>',
        'pad_token': '<|endoftext|>',
        'add_bos_token': True,
        'clean_up_tokenization_spaces': False,
        'chat_template': TEMPLATE,
    }
    (out / 'tokenizer_config.json').write_text(json.dumps(config, indent=2) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
