"""Trains the byte-level BPE tokenizer on the generated text and writes it with the chat template. Run once, first."""

import json
import sys
from pathlib import Path
from random import Random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from ask import WORDINGS, plural, some_questions
from draw import SHAPES
from scene import COLOURS, scene
from talk import plain, talk

SPECIAL = [
    '<|endoftext|>', '<|system|>', '<|user|>', '<|assistant|>', '<end_of_utterance>',
    '<fake_token_around_image>', '<global-img>', '<image>',
]  # fmt: skip
END_OF_TEXT, SYSTEM, USER, ASSISTANT, END, FAKE, GLOBAL, IMAGE = range(len(SPECIAL))
VOCAB = 768
# Digits, and capitals beside each other, stand alone: what is drawn is spelled letter by letter.
ALONE = r'[0-9]|[A-Z](?=[A-Z])|(?<=[A-Z])[A-Z]'
# Pictures come first, wherever a message has them: so a question always follows what it is about.
TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}{{- '<|assistant|>' -}}"
    "{%- elif message['role'] in ['system', 'developer'] -%}{{- '<|system|>' -}}"
    "{%- else -%}{{- '<|user|>' -}}{%- endif -%}"
    "{%- if message['content'] is string -%}{{- message['content'] | trim -}}"
    "{%- else -%}"
    "{%- for part in message['content'] -%}{%- if part['type'] == 'image' -%}{{- '<image>' -}}{%- endif -%}{%- endfor -%}"
    "{%- for part in message['content'] -%}{%- if part['type'] == 'text' -%}{{- part['text'] | trim -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- endif -%}{{- '<end_of_utterance>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


def texts(count: int):
    rng = Random('tokenizer')
    for _ in range(count):
        for question, answer in talk(rng):
            yield question
            yield answer
        yield plain(rng)
        shown = scene(rng, text=0)
        for _, asked in zip(range(6), some_questions(rng, shown)):
            yield asked.question
            yield asked.answer
        for wordings in WORDINGS.values():
            yield rng.choice(wordings[:-1]).format(
                x=f'{rng.choice(list(COLOURS))} {rng.choice(SHAPES)}', y=rng.choice(SHAPES), s=rng.choice(SHAPES), ss=plural(rng.choice(SHAPES)),
                c=rng.choice(list(COLOURS)), r='below', t=rng.choice(('word', 'number')), p='top left',
            )  # fmt: skip


def main(out: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(ALONE), 'isolated')
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    # Plain text begins as it did in training, after an end of text; the chat template adds none.
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f'{SPECIAL[0]} $A', special_tokens=[(SPECIAL[0], END_OF_TEXT)]
    )
    tokenizer.train_from_iterator(
        texts(6000),
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
        'processor_class': 'Idefics3Processor',
        'model_max_length': 512,
        'bos_token': '<|endoftext|>',
        'eos_token': '<end_of_utterance>',
        'pad_token': '<|endoftext|>',
        'add_bos_token': True,
        'clean_up_tokenization_spaces': False,
        'chat_template': TEMPLATE,
    }
    (out / 'tokenizer_config.json').write_text(json.dumps(config, indent=2) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
