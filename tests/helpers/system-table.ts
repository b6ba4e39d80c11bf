/**
 * Questions that together use every sampling field of the API, on both routes, streamed and not. Every one has one right
 * answer, byte for byte, however the system that is asked is built: seeds are given wherever chance has a say.
 * @module
 */
import type { Question, Reply, SystemHttp } from './system-http.ts'

const FOX = 'Once upon a time there was a little fox who lived in a wood'
/** Longer than a few KV blocks, so that a second question with the same beginning finds them. */
const LONG = Array.from({ length: 12 }, (_, i) => `Day ${i}: the fox met ${i + 2} birds and told them about the sea.`)
  .join(' ')
const messages = [{ role: 'user', content: 'Tell me about a fox and the sea.' }]

/** By name. `spanning` = a text that greedy completion of FOX contains, longer than one token. */
export function questions(spanning: string): Record<string, Question> {
  const say = (fields: object): Question => ({
    path: 'completions',
    prompt: FOX,
    max_tokens: 24,
    temperature: 0,
    ...fields,
  })
  const chat = (fields: object): Question => ({
    path: 'chat/completions',
    messages,
    max_tokens: 24,
    temperature: 0,
    ...fields,
  })
  const drawn = (fields: object): Question => say({ temperature: 0.9, seed: 7, ...fields })
  return {
    greedy: say({}),
    'one token': say({ max_tokens: 1 }),
    'one token of two choices': drawn({ max_tokens: 1, n: 2 }),
    temperature: drawn({}),
    'another seed': drawn({ seed: 8 }),
    'a negative seed': drawn({ seed: -3 }),
    top_p: drawn({ top_p: 0.6 }),
    top_k: drawn({ temperature: 1.3, top_k: 5 }),
    min_p: drawn({ temperature: 1.5, min_p: 0.05 }),
    'top_k, top_p and min_p': drawn({ temperature: 1.2, top_k: 20, top_p: 0.9, min_p: 0.02 }),
    'two choices': drawn({ n: 2, return_token_ids: true }),
    'three choices, streamed': drawn({ n: 3, seed: 5, stream: true, return_token_ids: true }),
    'a stop string over tokens': say({ max_tokens: 60, stop: spanning }),
    'stop strings, streamed': say({
      max_tokens: 60,
      stop: ['no such text', spanning],
      stream: true,
      return_token_ids: true,
    }),
    'stop strings of three choices': drawn({ n: 3, max_tokens: 40, stop: ['e', 'the '], seed: 11 }),
    'stop token ids': drawn({ max_tokens: 60, stop_token_ids: [5, 70, 75, 80, 85, 90], return_token_ids: true }),
    logprobs: say({ logprobs: 3, max_tokens: 12 }),
    'logprobs of drawn tokens, streamed': drawn({ logprobs: 5, max_tokens: 12, n: 2, stream: true }),
    logit_bias: drawn({ logit_bias: { 70: 4, 80: -100, 90: 2.5 }, return_token_ids: true }),
    'presence and frequency': drawn({ presence_penalty: 0.8, frequency_penalty: 0.6, max_tokens: 60 }),
    'repetition penalty': say({ repetition_penalty: 1.3, max_tokens: 60 }),
    'past the end token': say({ ignore_eos: true, max_tokens: 100, return_token_ids: true }),
    'token ids as prompt': say({ prompt: [65, 70, 75, 80, 66, 71], return_token_ids: true }),
    'a long prompt': say({ prompt: LONG, max_tokens: 16 }),
    'a long prompt with another end': drawn({ prompt: `${LONG} And then`, max_tokens: 16, n: 2 }),
    chat: chat({}),
    'chat, streamed, with usage': chat({
      stream: true,
      stream_options: { include_usage: true },
      return_token_ids: true,
    }),
    'chat with logprobs': chat({
      temperature: 0.8,
      seed: 21,
      logprobs: true,
      top_logprobs: 4,
      n: 2,
      max_tokens: undefined,
      max_completion_tokens: 10,
    }),
  }
}

/** A text of five characters out of the greedy answer that no single token makes. */
export async function spanningText(http: SystemHttp): Promise<string> {
  const { text } = await http.ask({ path: 'completions', prompt: FOX, max_tokens: 50, temperature: 0 })
  const answer = (JSON.parse(text) as { choices: { text: string }[] }).choices[0]!.text
  const place = [...answer].findIndex((_, i) =>
    i >= 12 && !answer.slice(i, i + 5).includes('\uFFFD') && answer.slice(i, i + 5).length === 5
  )
  return place < 0 ? [...answer].slice(-3).join('') : answer.slice(place, place + 5)
}

/** Asks all, `atOnce` at a time, in order of the table; answers by name. */
export async function askAll(
  http: SystemHttp,
  table: Record<string, Question>,
  atOnce: number,
): Promise<Record<string, Reply>> {
  const waiting = Object.entries(table)
  const answers: Record<string, Reply> = {}
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      answers[next[0]] = await http.ask(next[1])
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return answers
}

/** What of each answer must be equal. */
export const texts = (answers: Record<string, Reply>): Record<string, string> =>
  Object.fromEntries(Object.entries(answers).map(([name, { status, text }]) => [name, `${status} ${text}`]))
