import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openText } from '../../../../runtime/engine/text/mod.ts'
import { realClock } from '../../../../runtime/clock.ts'
import type { TextModel } from '../../../../runtime/engine/text.ts'
import { type ErrorCode, isVolleyError } from '../../../../runtime/errors.ts'
import { ggufBytes, type GgufValue, temporaryDirectory, writeDirectory } from '../../../helpers/model-files.ts'
import { tinyConfig } from '../../../helpers/tiny-model.ts'
import { byteModelFiles, byteTokenizer, CHATML, SPECIALS, spmVocabulary } from '../../../helpers/tiny-tokenizer.ts'

const root = temporaryDirectory()
let count = 0
const open = (files: Record<string, unknown>): TextModel => openText(writeDirectory(root, `m${count++}`, files))
const openGguf = (metadata: Record<string, GgufValue>): TextModel => {
  const path = join(root, `g${count++}.gguf`)
  writeFileSync(path, ggufBytes({ 'general.architecture': ['string', 'llama'], ...metadata }))
  return openText(path)
}

/** The code of the error thrown. */
function codeOf(run: () => unknown): ErrorCode | undefined {
  try {
    run()
  } catch (error) {
    if (isVolleyError(error)) return error.code
    throw error
  }
  return undefined
}

describe('openText() on a Hugging Face directory', () => {
  const model = open(byteModelFiles())

  test('encodes with and without special tokens, and decodes', () => {
    expect(model.encode('ab!')).toEqual([259, 33])
    expect(model.encode('<|im_end|>', { special: true })).toEqual([258])
    expect(model.encode('<|im_end|>')).toEqual([...Buffer.from('<|im_end|>')])
    expect(model.decode([259, 258, 33])).toBe('ab!')
    expect(model.decode([259, 258], { special: true })).toBe('ab<|im_end|>')
    expect(model.tokenBytes(258)).toHaveLength(0)
    expect(model.tokenBytes(0xc3)).toEqual(Uint8Array.of(0xc3))
    expect(model.tokenBytes(99999)).toHaveLength(0)
    expect(model).toMatchObject({ vocabSize: 260, contextLength: 128, endTokens: [258], hasTokenizer: true })
  })

  test('a model without a tokenizer serves ids, and says why it does not serve text', () => {
    const bare = open({ 'config.json': tinyConfig() })
    expect(bare).toMatchObject({ hasTokenizer: false, vocabSize: 12, contextLength: 64, endTokens: [2] })
    const uses = [() => bare.encode('a'), () => bare.decode([1]), () => bare.tokenBytes(1), () => bare.chat([])]
    for (const use of uses) expect(codeOf(use)).toBe('tokenizer_missing')
    expect(() => open({ 'config.json': tinyConfig(), 'tokenizer.model': 'x' }).encode('a')).toThrow(
      /tokenizer\.model but no/,
    )
  })

  test("end tokens: config, generation_config and the tokenizer's own, each once", () => {
    const files = byteModelFiles({
      'config.json': { vocab_size: 260, eos_token_id: [1] },
      'generation_config.json': { eos_token_id: [1, 2] },
    })
    expect(open(files).endTokens).toEqual([1, 2, 258])
  })

  test('multimodal configurations keep their numbers one level down', () => {
    const config = {
      model_type: 'idefics3',
      text_config: { vocab_size: 260, max_position_embeddings: 77, eos_token_id: 258 },
    }
    expect(open(byteModelFiles({ 'config.json': config }))).toMatchObject({
      vocabSize: 260,
      contextLength: 77,
      endTokens: [258],
    })
  })

  test('BOS goes first where the tokenizer puts it, or where add_bos_token says so', () => {
    const bos = { id: '<|im_start|>', type_id: 0 }
    const tokenizer = {
      ...byteTokenizer(),
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: bos }, { Sequence: { id: 'A', type_id: 0 } }, {
          SpecialToken: { id: '<|im_end|>', type_id: 0 },
        }],
        pair: [],
        special_tokens: {},
      },
    }
    const byProcessor = open(byteModelFiles({ 'tokenizer.json': tokenizer }))
    expect(byProcessor.encode('a', { addBos: true })).toEqual([257, 97])
    expect(byProcessor.encode('a')).toEqual([97])
    const settings = { bos_token: '<|im_start|>', add_bos_token: true }
    expect(open(byteModelFiles({ 'tokenizer_config.json': settings })).encode('a', { addBos: true })).toEqual([257, 97])
    expect(model.encode('a', { addBos: true })).toEqual([97])
  })

  test('chat templates: the .jinja file, then chat_template.json, then tokenizer_config.json, also as a list', () => {
    const say = (files: Record<string, unknown>) => {
      const text = open(byteModelFiles(files))
      return text.decode(text.chat([{ role: 'user', content: 'x' }]), { special: true })
    }
    const list = [{ name: 'tool_use', template: 'no' }, { name: 'default', template: 'list' }]
    expect(say({ 'tokenizer_config.json': { chat_template: list } })).toBe('list')
    expect(say({ 'chat_template.json': { chat_template: 'json' } })).toBe('json')
    expect(say({ 'chat_template.jinja': 'jinja' })).toBe('jinja')
    const tokens = { bos_token: { content: '<|im_start|>' }, eos_token: '<|im_end|>' }
    expect(say({
      'special_tokens_map.json': tokens,
      'tokenizer_config.json': { chat_template: '{{ bos_token }}{{ unk_token }}{{ eos_token }}' },
    })).toBe('<|im_start|><|im_end|>')
  })

  test('no template is an error that says so; so are strange roles and what a template refuses', () => {
    const plain = open(byteModelFiles({ 'tokenizer_config.json': {} }))
    expect(codeOf(() => plain.chat([{ role: 'user', content: 'x' }]))).toBe('template_failed')
    expect(codeOf(() => model.chat([{ role: 'user<|im_end|>', content: 'x' }]))).toBe('invalid_request')
    const refuses = open(byteModelFiles({ 'chat_template.jinja': `{{ raise_exception('no') }}` }))
    expect(codeOf(() => refuses.chat([]))).toBe('template_failed')
  })

  test('templates take the date from the clock', () => {
    const path = writeDirectory(
      root,
      'dated',
      byteModelFiles({ 'chat_template.jinja': `{{ strftime_now('%Y-%m-%d') }}` }),
    )
    const text = openText(path, { clock: { ...realClock, now: () => Date.UTC(2025, 6, 10, 12) } })
    expect(text.decode(text.chat([]))).toBe('2025-07-10')
  })

  test('broken tokenizers are typed errors', () => {
    const broken = [[], { model: {} }, { model: { vocab: {} }, added_tokens: [{ id: -1 }] }, '{', {
      ...byteTokenizer(),
      normalizer: { type: 'Nothing' },
    }]
    for (const tokenizer of broken) {
      const files = byteModelFiles({
        'tokenizer.json': typeof tokenizer === 'string' ? tokenizer : JSON.stringify(tokenizer),
      })
      expect(codeOf(() => open(files)), JSON.stringify(tokenizer).slice(0, 80)).toBe('model_file_invalid')
    }
    expect(codeOf(() => open(byteModelFiles({ 'tokenizer.json': { ...byteTokenizer(), decoder: { type: 'CTC' } } }))))
      .toBe(
        'model_unsupported',
      )
  })
})

describe('chat()', () => {
  const model = open(byteModelFiles())
  const control = (ids: number[]) => ids.filter((id) => id >= 256 && id !== 259)
  const piece = fc.constantFrom(
    '<',
    '|',
    '>',
    '<|',
    '|>',
    'im_end',
    'im_start',
    'ab',
    ' ',
    '\n',
    'é',
    ...SPECIALS,
    '<|im_',
    'end|>',
  )
  const typed = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))

  test('whatever is typed, only the template writes control tokens, and no text is lost', () => {
    fc.assert(
      fc.property(typed, typed, (one, two) => {
        const messages = [{ role: 'system', content: one }, { role: 'user', content: two }]
        const ids = model.chat(messages)
        expect(control(ids)).toEqual([257, 258, 257, 258, 257])
        expect(model.decode(ids, { special: true })).toBe(
          `<|im_start|>system\n${one.trim()}<|im_end|>\n<|im_start|>user\n${two.trim()}<|im_end|>\n` +
            '<|im_start|>assistant\n',
        )
      }),
      { numRuns: 300 },
    )
  })

  test("texts that a template joins make no token together, nor with the template's own text", () => {
    const joins = open(byteModelFiles({
      'chat_template.jinja': '{% for m in messages %}<{% for p in m.content %}{{ p.text }}{% endfor %}>{% endfor %}',
    }))
    fc.assert(
      fc.property(typed, typed, typed, (...texts) => {
        const content = texts.map((text) => ({ type: 'text' as const, text }))
        const ids = joins.chat([{ role: 'user', content }])
        expect(control(ids)).toEqual([])
        expect(joins.decode(ids)).toBe(`<${texts.join('')}>`)
      }),
      { numRuns: 300 },
    )
    const cut = ['<|im_', 'end|>'].map((text) => ({ type: 'text' as const, text }))
    expect(control(joins.chat([{ role: 'user', content: cut }]))).toEqual([])
    expect(control(joins.chat([{ role: 'user', content: [{ type: 'text', text: '|im_end|' }] }]))).toEqual([])
  })

  test('ordinary texts are encoded as the whole rendered prompt would be', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const content = text.trim()
      const rendered = `<|im_start|>user\n${content}<|im_end|>\n<|im_start|>assistant\n`
      expect(model.chat([{ role: 'user', content }])).toEqual(model.encode(rendered, { special: true }))
    }))
  })

  test('Metaspace adds its space to the first piece only, in a chat as in a whole text', () => {
    const { tokens } = spmVocabulary()
    const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]))
    const tokenizer = {
      added_tokens: ['<s>', '</s>'].map((content, i) => ({ id: i + 1, content, special: true, normalized: false })),
      normalizer: null,
      pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false },
      post_processor: null,
      decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' },
      model: { type: 'BPE', vocab, merges: [], byte_fallback: true, unk_token: '<unk>' },
    }
    const template = '{% for m in messages %}{{ m.content }}</s>{% endfor %}'
    const first = open(
      byteModelFiles({ 'tokenizer.json': tokenizer, 'tokenizer_config.json': { chat_template: template } }),
    )
    const ids = first.chat([{ role: 'user', content: 'he' }, { role: 'user', content: 'lo' }])
    expect(ids).toEqual(first.encode('he</s>lo</s>', { special: true }))
    expect(ids).toEqual(['▁', 'h', 'e', '</s>', 'l', 'o', '</s>'].map((piece) => vocab[piece]))
    expect(first.decode(ids)).toBe('helo')
  })

  test('messages nested without end are refused, not a crash', () => {
    let deep: unknown = 'x'
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(codeOf(() => model.chat([{ role: 'user', content: 'x', deep }]))).toBe('invalid_request')
  })

  test('other fields and their keys are guarded too, and JSON stays JSON', () => {
    const tools = open(
      byteModelFiles({ 'chat_template.jinja': '<|im_start|>{{ messages[0].args | tojson }}<|im_end|>' }),
    )
    const args = { '<|im_end|>': ['<|im_start|>', 1, null, { a: '"<|endoftext|>' }] }
    const ids = tools.chat([{ role: 'assistant', content: '', args }])
    expect(control(ids)).toEqual([257, 258])
    expect(JSON.parse(tools.decode(ids))).toEqual(args)
  })
})

describe('openText() on GGUF metadata', () => {
  const { tokens, scores, types } = spmVocabulary()
  const spm: Record<string, GgufValue> = {
    'tokenizer.ggml.model': ['string', 'llama'],
    'tokenizer.ggml.tokens': ['strings', tokens],
    'tokenizer.ggml.scores': ['f32s', scores],
    'tokenizer.ggml.token_type': ['i32s', types],
    'tokenizer.ggml.bos_token_id': ['u32', 1],
    'tokenizer.ggml.eos_token_id': ['u32', 2],
    'tokenizer.ggml.unknown_token_id': ['u32', 0],
  }
  const id = (piece: string) => tokens.indexOf(piece)

  test('SentencePiece: best score first, a space before, bytes for what has no piece', () => {
    const model = openGguf(spm)
    expect(model.encode('hello', { addBos: true })).toEqual([1, id('▁hello')])
    expect(model.encode('é')).toEqual([id('▁'), id('<0xC3>'), id('<0xA9>')])
    expect(model.decode([1, id('▁hello'), id('▁hello'), id('<0xC3>'), id('<0xA9>'), 2])).toBe('hello helloé')
    expect(model.encode('</s>')).not.toContain(2)
    expect(model.encode('</s>', { special: true })).toEqual([2])
    expect(model).toMatchObject({ vocabSize: tokens.length, endTokens: [2], stripsLeadingSpace: true })
  })

  test('add_space_prefix and add_bos_token are minded', () => {
    const model = openGguf({
      ...spm,
      'tokenizer.ggml.add_space_prefix': ['bool', false],
      'tokenizer.ggml.add_bos_token': ['bool', false],
    })
    expect(model.encode('hello', { addBos: true })).toEqual([id('hello')])
    expect(model.decode([id('▁hello')])).toBe(' hello')
  })

  test('the id of a token that is in no vocabulary is no id', () => {
    const model = openGguf({ ...spm, 'tokenizer.ggml.bos_token_id': ['u32', 0xffffffff] })
    expect(model.encode('hello', { addBos: true })).toEqual([id('▁hello')])
  })

  test('byte-level BPE: the pre-tokenizer is taken by name, never guessed', () => {
    const vocabulary = { ...(byteTokenizer()['model'] as { vocab: Record<string, number> }).vocab }
    const pieces = Object.entries(vocabulary).sort((a, b) => a[1] - b[1]).map(([piece]) => piece)
    pieces.splice(256, 0, ...SPECIALS)
    const bpe = (pre?: string): Record<string, GgufValue> => ({
      'tokenizer.ggml.model': ['string', 'gpt2'],
      'tokenizer.ggml.tokens': ['strings', pieces],
      'tokenizer.ggml.token_type': ['i32s', pieces.map((piece) => SPECIALS.includes(piece as never) ? 3 : 1)],
      'tokenizer.ggml.merges': ['strings', ['a b']],
      'tokenizer.ggml.eos_token_id': ['u32', 256],
      'tokenizer.chat_template': ['string', CHATML],
      ...(pre === undefined ? {} : { 'tokenizer.ggml.pre': ['string', pre] as GgufValue }),
    })
    for (const pre of ['gpt-2', 'smollm', 'llama-bpe', 'qwen2', 'tekken']) {
      const model = openGguf(bpe(pre))
      expect(model.encode('ab 12'), pre).toEqual([259, 32, 49, 50])
      expect(model.decode(model.encode('ab 12\n\n  É'))).toBe('ab 12\n\n  É')
      expect(model.endTokens).toEqual([256, 258])
      expect(model.chat([{ role: 'user', content: 'ab' }])).toContain(257)
    }
    expect(() => openGguf(bpe('brand-new'))).toThrow(/brand-new/)
    expect(() => openGguf(bpe())).toThrow(/tokenizer\.ggml\.pre/)
  })

  test('no vocabulary: ids only; an unknown kind or a broken one: a typed error', () => {
    expect(openGguf({ 'llama.vocab_size': ['u32', 77] })).toMatchObject({ hasTokenizer: false, vocabSize: 77 })
    expect(codeOf(() => openGguf({ ...spm, 'tokenizer.ggml.model': ['string', 'rwkv'] }))).toBe('model_unsupported')
    expect(codeOf(() => openGguf({ ...spm, 'tokenizer.ggml.scores': ['f32s', [1]] }))).toBe('model_file_invalid')
    expect(codeOf(() => openGguf({ ...spm, 'tokenizer.ggml.token_type': ['i32s', [1]] }))).toBe('model_file_invalid')
  })
})
