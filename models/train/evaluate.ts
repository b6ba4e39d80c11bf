/**
 * Exact-answer accuracy by kind of question, beside the majority answer's, from what a running Volley generates for the
 * cases that cases.py wrote. Prints the rows of the model card's table.
 *
 *     volley serve --model models/volley-tiny --port 8090
 *     node models/train/evaluate.ts CASES [--url http://127.0.0.1:8090] [--out FILE] [--show N]
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

interface Case {
  kind: string
  /** What of it training never saw, or `fresh` and `known`. */
  split: string
  picture?: string
  question: string
  answer: string
  /** The answer is its kind's commonest. */
  common: boolean
}

/** Requests at a time, and how long one may take. */
const TOGETHER = 8
const ANSWER_MS = 60_000

const { values, positionals: [folder] } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8090' },
    out: { type: 'string' },
    show: { type: 'string', default: '0' },
  },
})
if (folder === undefined) throw new Error('usage: evaluate.ts CASES [--url URL] [--out FILE] [--show N]')
const { data: [served] } = await (await fetch(`${values.url}/v1/models`)).json() as { data: { id: string }[] }

async function answerTo({ picture, question }: Case): Promise<string> {
  const text = { type: 'text', text: question }
  const file = picture === undefined ? undefined : readFileSync(join(folder!, picture)).toString('base64')
  const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${file}` } }
  const response = await fetch(`${values.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: served!.id,
      messages: [{ role: 'user', content: file === undefined ? [text] : [text, image] }],
      temperature: 0,
      max_tokens: 64,
    }),
    signal: AbortSignal.timeout(ANSWER_MS),
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  const { choices: [choice] } = await response.json() as { choices: { message: { content: string } }[] }
  return choice!.message.content
}

const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as Case[]
const answers: string[] = []
let next = 0
await Promise.all(Array.from({ length: TOGETHER }, async () => {
  for (let i = next++; i < cases.length; i = next++) answers[i] = await answerTo(cases[i]!)
}))

const share = (part: number, whole: number): number => Math.round((1000 * part) / whole) / 1000
const percent = (x: number): string => `${(100 * x).toFixed(1)} %`
const table = [...Map.groupBy(cases.keys(), (i) => `${cases[i]!.kind} | ${cases[i]!.split}`)].map(([name, indices]) => {
  const wrong = indices.filter((i) => answers[i] !== cases[i]!.answer)
  const accuracy = share(indices.length - wrong.length, indices.length)
  const majority = share(indices.filter((i) => cases[i]!.common).length, indices.length)
  console.log(`| ${name} | ${indices.length} | ${percent(accuracy)} | ${percent(majority)} |`)
  for (const i of wrong.slice(0, Number(values.show))) {
    const { picture, question, answer } = cases[i]!
    console.log(`    ${picture ?? 'no picture'}: ${question} -> ${answers[i]} (${answer})`)
  }
  const { kind, split } = cases[indices[0]!]!
  return { kind, split, cases: indices.length, accuracy, majority }
})
if (values.out !== undefined) {
  writeFileSync(values.out, `[\n${table.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`)
}
