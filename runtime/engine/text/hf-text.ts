/**
 * The text side of a Hugging Face directory: tokenizer.json and the small files around it. Reads no weights.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VolleyError } from '../../errors.ts'
import { hfEndTokens } from '../load/hf-config.ts'
import { fields, readJson, tokenIds } from '../load/json-file.ts'
import type { AddedToken, TextParts, TokenizerJson } from './parts.ts'

type Raw = Record<string, unknown>

/** Names of tokens with a role, as tokenizer_config.json and templates have them. */
const ROLE_NAMES = ['bos_token', 'eos_token', 'unk_token', 'pad_token', 'sep_token', 'cls_token', 'mask_token']

/** Errors: `model_file_missing`, `model_file_invalid`. */
export function hfText(directory: string, name: string): TextParts {
  const path = join(directory, 'config.json')
  const top = readJson(path)
  // Multimodal models keep their decoder's numbers one level down.
  const config = { ...top, ...fields(top['text_config']) }
  const settings = optionalJson(directory, 'tokenizer_config.json')
  const roles = { ...optionalJson(directory, 'special_tokens_map.json'), ...settings }
  const tokenizer = readTokenizer(directory)
  const idOf = (content: string) => 'missing' in tokenizer ? undefined : findId(tokenizer, content)
  const templateTokens: Record<string, string> = {}
  for (const role of ROLE_NAMES) {
    const content = tokenText(roles[role])
    if (content !== undefined) templateTokens[role] = content
  }
  const named = Object.values(templateTokens).flatMap((content) => idOf(content) ?? [])
  const eos = templateTokens['eos_token'] === undefined ? undefined : idOf(templateTokens['eos_token'])
  const endTokens = [...new Set([...hfEndTokens(config, directory), ...(eos === undefined ? [] : [eos])])]
  const bos = templateTokens['bos_token'] === undefined ? undefined : idOf(templateTokens['bos_token'])
  const addBos = settings['add_bos_token']
  return {
    name,
    vocabSize: whole(config['vocab_size']) ?? ('missing' in tokenizer ? 0 : tokenCount(tokenizer)),
    contextLength: whole(config['max_position_embeddings']) ?? 2048,
    endTokens,
    tokenizer,
    roleTokens: [...new Set([...named, ...endTokens, ...tokenIds(config['bos_token_id'])])],
    prefix: typeof addBos !== 'boolean' ? undefined : addBos && bos !== undefined ? [bos] : [],
    chatTemplate: readTemplate(directory, settings),
    templateTokens,
  }
}

function optionalJson(directory: string, file: string): Raw {
  const path = join(directory, file)
  return existsSync(path) ? readJson(path) : {}
}

function readTokenizer(directory: string): TextParts['tokenizer'] {
  const path = join(directory, 'tokenizer.json')
  if (!existsSync(path)) {
    const other = ['tokenizer.model', 'vocab.json', 'tekken.json'].find((file) => existsSync(join(directory, file)))
    if (!other) {
      return { missing: 'its directory has no tokenizer.json', remedy: 'send token ids as `prompt`, or add the file.' }
    }
    return {
      missing: `its directory has ${other} but no tokenizer.json`,
      remedy: 'make one: AutoTokenizer.from_pretrained(path).save_pretrained(path) of transformers writes it.',
    }
  }
  const raw = readJson(path)
  const added = Array.isArray(raw['added_tokens']) ? raw['added_tokens'].map(fields) : []
  const sound = added.every((t) =>
    Number.isSafeInteger(t['id']) && (t['id'] as number) >= 0 && typeof t['content'] === 'string'
  )
  const model = fields(raw['model'])
  if (!sound || typeof model['vocab'] !== 'object' || model['vocab'] === null) {
    throw new VolleyError(
      'model_file_invalid',
      `${path} is not a tokenizer: its model or its added tokens are malformed`,
      {
        remedy: 'download it again.',
        param: path,
      },
    )
  }
  const part = (key: string) => raw[key] == null ? null : fields(raw[key])
  return {
    added_tokens: added.map((token) => ({ ...token, special: token['special'] === true }) as unknown as AddedToken),
    // tokenizer.json files of old have no type.
    model: { type: 'BPE', ...model } as TokenizerJson['model'],
    normalizer: part('normalizer'),
    pre_tokenizer: part('pre_tokenizer'),
    post_processor: part('post_processor'),
    decoder: part('decoder'),
  }
}

function findId(tokenizer: TokenizerJson, content: string): number | undefined {
  const added = tokenizer.added_tokens.find((token) => token.content === content)
  return added?.id ?? whole(fields(tokenizer.model.vocab)[content], 0)
}

/** One more than the largest id. */
function tokenCount({ added_tokens: added, model: { vocab } }: TokenizerJson): number {
  const ids = Array.isArray(vocab) ? vocab.map((_, id) => id) : Object.values(fields(vocab))
  return [...ids, ...added.map(({ id }) => id)].reduce<number>((most, id) => Math.max(most, Number(id) + 1), 0)
}

/** chat_template.jinja, chat_template.json, or tokenizer_config.json's entry: a text, or named texts. */
function readTemplate(directory: string, settings: Raw): string | undefined {
  const file = join(directory, 'chat_template.jinja')
  if (existsSync(file)) return readFileSync(file, 'utf8')
  const value = optionalJson(directory, 'chat_template.json')['chat_template'] ?? settings['chat_template']
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return undefined
  const named = value.map(fields).filter((entry) => typeof entry['template'] === 'string')
  return (named.find((entry) => entry['name'] === 'default') ?? named[0])?.['template'] as string | undefined
}

/** A token in these files is a text, or an object with its text. */
function tokenText(value: unknown): string | undefined {
  const content = typeof value === 'string' ? value : fields(value)['content']
  return typeof content === 'string' ? content : undefined
}

const whole = (value: unknown, least = 1): number | undefined =>
  Number.isSafeInteger(value) && (value as number) >= least ? (value as number) : undefined
