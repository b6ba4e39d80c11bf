/**
 * Prompts too long for a hop rest in the inputs bucket (msgpack), for as long as their request may live.
 * @module
 */
import { Packr } from 'msgpackr'
import type { Bus } from '../bus/bus.ts'
import { LIVE_GRACE_MS } from '../bus/topology.ts'
import { VolleyError } from '../errors.ts'
import type { PromptRef } from '../machine/generate.ts'

/** JSON of so many ids stays well below a hop's limit, whatever the vocabulary. */
const INLINE_TOKENS = 6_000
/** The same where references to pictures, and then to their vectors, travel beside them. */
const INLINE_BESIDE = 2_000
const packr = new Packr({ useRecords: false, moreTypes: true })

export class Inputs {
  private readonly bus: Bus

  constructor(bus: Bus) {
    this.bus = bus
  }

  /** How the prompt travels; stores it first when it is long. `beside`: it is not alone in its hop. */
  async keep(id: string, tokens: number[], { timeoutMs, beside = false }: { timeoutMs: number; beside?: boolean }): Promise<PromptRef> {
    if (tokens.length <= (beside ? INLINE_BESIDE : INLINE_TOKENS)) return tokens
    await this.bus.bucket('volley_inputs').put(id, packr.pack(Uint32Array.from(tokens)), { ttlMs: timeoutMs + LIVE_GRACE_MS })
    return { key: id }
  }

  /** The token ids. Error: `record_gone` when the stored prompt has aged out. */
  async resolve(prompt: PromptRef): Promise<number[]> {
    if (Array.isArray(prompt)) return prompt
    const entry = await this.bus.bucket('volley_inputs').get(prompt.key)
    if (!entry) throw new VolleyError('record_gone', `Cannot find the prompt of request ${prompt.key}: it has aged out`)
    return Array.from(packr.unpack(entry.value) as Uint32Array)
  }

  async forget(prompt: PromptRef): Promise<void> {
    if (!Array.isArray(prompt)) await this.bus.bucket('volley_inputs').delete(prompt.key)
  }
}
