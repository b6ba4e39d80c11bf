/**
 * A Front that generates what a script says, with no engine and no bus behind it, and remembers what it was asked.
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Front, FrontStats, OpenRequest, PictureSide, RequestDetails, Submission } from '../../actors/gateway/front.ts'
import type { TokenOut } from '../../runtime/engine/engine.ts'
import type { TextModel } from '../../runtime/engine/text.ts'
import { encodePrompt, type PromptText } from '../../runtime/engine/text/prompts.ts'
import { VolleyError } from '../../runtime/errors.ts'
import { isToken, newId } from '../../runtime/ids.ts'
import { byteModel, END } from './byte-model.ts'

export interface Script {
  /** Text of each choice (the last one serves the rest), or token ids; ends with the end token, or at maxTokens. */
  says?: (string | number[])[]
  /** Tokens of a choice in one step. @default {1} */
  perStep?: number
  /** Pause before each step. */
  stepMs?: number
  /** Instead of the step after so many: throw, or wait until cancelled. */
  failAfter?: { steps: number; error: Error }
  hangAfter?: number
  /** Log probability of every token drawn. @default {-0.5} */
  logprob?: number
  /** Refused at admission. */
  refuse?: Error
  /** Never hears of a cancel. */
  deaf?: boolean
}

export class FakeFront implements Front {
  script: Script = {}
  readonly submissions: Submission[] = []
  /** Ids of requests whose reader cancelled them while they ran. */
  readonly cancelled: string[] = []
  /** How often `cancel()` of an open request was called. */
  cancelCalls = 0
  readonly details = new Map<string, RequestDetails>()
  notReady: string | undefined
  /** Of all its models. */
  pictures: PictureSide | undefined
  private readonly texts: TextModel[]

  constructor(...texts: TextModel[]) {
    this.texts = texts.length > 0 ? texts : [byteModel()]
  }

  models() {
    const sees = this.pictures && { pictures: this.pictures }
    const prompts = (text: TextModel) => async (prompt: PromptText) => encodePrompt(text, prompt)
    return this.texts.map((text) => ({ text, prompts: prompts(text), createdMs: 1_700_000_000_000, ...sees }))
  }

  stats(): FrontStats {
    return { notReady: this.notReady, running: this.running, waiting: 3, kvUsage: 0.25, instances: 2 }
  }

  get running(): number {
    return [...this.details.values()].filter(({ state }) => state === 'decode').length
  }

  async submit(submission: Submission, signal: AbortSignal): Promise<OpenRequest> {
    const script = this.script
    if (script.refuse) throw script.refuse
    signal.throwIfAborted()
    this.submissions.push(submission)
    const id = newId('req')
    const record: RequestDetails = {
      id,
      state: 'decode',
      model: submission.model,
      createdMs: Date.now(),
      context: {},
      history: [],
    }
    const enter = (state: string) => {
      record.state = state
      record.history.push({ state, atMs: Date.now() })
    }
    enter('decode')
    this.details.set(id, record)
    const abort = new AbortController()
    const cancel = () => {
      this.cancelCalls++
      if (record.state !== 'decode') return
      this.cancelled.push(id)
      enter('cancelled')
      if (!script.deaf) abort.abort()
    }
    return { id, tokens: this.run(script, submission, enter, abort.signal), cancel }
  }

  async requests() {
    return [...this.details.values()].reverse().map(({ id, state, model, createdMs }) => ({
      id,
      state,
      model,
      createdMs,
    }))
  }

  async request(id: string) {
    mustBeToken(id)
    return this.details.get(id)
  }

  async cancel(id: string) {
    mustBeToken(id)
    return this.details.has(id)
  }

  private async *run(script: Script, submission: Submission, enter: (state: string) => void, signal: AbortSignal) {
    const { says = ['Hello, world!'], perStep = 1, stepMs = 0, failAfter, hangAfter = Infinity } = script
    const choices = Array.from(
      { length: submission.n },
      (_, i) => tokensOf(this.texts[0]!, script.logprob, says[Math.min(i, says.length - 1)]!, submission, i),
    )
    const cancelled = () => new VolleyError('cancelled', 'The request was cancelled')
    for (let step = 0; choices.some(({ length }) => length > step * perStep); step++) {
      if (step === failAfter?.steps) {
        enter('failed')
        throw failAfter.error
      }
      if (step >= hangAfter) {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(cancelled())))
      }
      if (stepMs > 0) await pause(stepMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) throw cancelled()
      yield choices.flatMap((tokens) => tokens.slice(step * perStep, (step + 1) * perStep))
    }
    enter('done')
  }
}

/** A bus is as strict. */
function mustBeToken(id: string): void {
  if (!isToken(id)) throw new Error(`"${id}" is not a token`)
}

/** All tokens of a choice. Logprobs are made up, but depend on the token alone. */
function tokensOf(
  model: TextModel,
  logprob = -0.5,
  said: string | number[],
  { sampling, stop }: Submission,
  choice: number,
): TokenOut[] {
  const ids = typeof said === 'string' ? [...Buffer.from(said), END] : said
  const tokens: TokenOut[] = []
  for (let index = 0;; index++) {
    // A script that is too short for `ignore_eos` begins again.
    const token = ids[index % ids.length]!
    // As the decode actor does: the token that completes a stop string is the last one.
    const text = stop.length > 0 ? model.decode([...tokens.map((t) => t.token), token]) : ''
    const ended = !sampling.ignoreEos && sampling.stopTokens.includes(token)
    const stopped = ended || stop.some((one) => text.includes(one))
    const finish = stopped ? 'stop' : index + 1 === sampling.maxTokens ? 'length' : undefined
    const top = Array.from(
      { length: sampling.topLogprobs ?? 0 },
      (_, i): [number, number] => [(token + i) % 258, -0.5 - i],
    )
    const logprobs = sampling.topLogprobs === undefined ? {} : { logprob, top }
    tokens.push({ choice, index, token, ...logprobs, ...(finish ? { finish } : {}) })
    if (finish) return tokens
  }
}
