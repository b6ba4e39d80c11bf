/**
 * The encode phase between instances: tiles that another is asked to begin, and tiles begun for another. A word each way;
 * the vectors go by ticket like those made by the one that asks.
 * @module
 */
import type { Bus, Subscription } from '../../runtime/bus/bus.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import { isVolleyError } from '../../runtime/errors.ts'
import type { VisionInfo } from '../../runtime/engine/engine.ts'
import type { Encoder } from '../../runtime/pool/encoder.ts'
import { type EncodedPart, type EncodePart, type EncodeReply, type EncodeRequest, holdOfPart } from '../../runtime/wire/encode.ts'
import type { ReleaseMessage } from '../../runtime/wire/hop.ts'
import type { PictureEncoder } from './encoder.ts'

/** Beginning is quick: who does not answer within this is taken for busy or dead. */
const ASK_TIMEOUT_MS = 300

export interface EncodePeersOptions {
  bus: Bus
  id: string
  encoder: PictureEncoder
  isDraining: () => boolean
}

export class EncodePeers implements Encoder {
  readonly vision: VisionInfo
  readonly #options: EncodePeersOptions
  #subscription: Subscription | undefined

  constructor(options: EncodePeersOptions) {
    this.#options = options
    this.vision = options.encoder.vision
  }

  hasRoom(): boolean {
    return this.#options.encoder.hasRoom()
  }

  begin(part: EncodePart): EncodedPart {
    return this.#options.encoder.begin(part)
  }

  async ask(instance: string, part: EncodePart, signal: AbortSignal): Promise<EncodedPart | undefined> {
    const { bus } = this.#options
    const body: EncodeRequest = { ...part, numerics: this.vision.numerics }
    try {
      const message = await bus.request(subjects.encode(instance), JSON.stringify(body), { timeoutMs: ASK_TIMEOUT_MS, signal })
      const reply = message.json<EncodeReply>()
      return reply.status === 'ok' ? reply : undefined
    } catch (error) {
      if (isVolleyError(error, 'no_responders')) return undefined
      // It may have been begun all the same, or be begun later.
      const release: ReleaseMessage = { hold: holdOfPart(part), attempt: part.attempt }
      bus.publish(subjects.instanceOp(instance, 'release'), JSON.stringify(release))
      if (isVolleyError(error, 'bus_timeout')) return undefined
      throw error
    }
  }

  /** Begins what others ask for, from now until `stop`. */
  start(): void {
    const { bus, id } = this.#options
    this.#subscription = bus.subscribe(subjects.encode(id), (message) => {
      message.respond(JSON.stringify(this.#answer(message.json<EncodeRequest>())))
    })
  }

  stop(): void {
    this.#subscription?.unsubscribe()
  }

  #answer({ numerics, ...part }: EncodeRequest): EncodeReply {
    const { encoder, isDraining } = this.#options
    if (numerics !== this.vision.numerics) return { status: 'refused', reason: 'otherNumerics' }
    if (isDraining()) return { status: 'refused', reason: 'draining' }
    if (!encoder.hasRoom()) return { status: 'refused', reason: 'full' }
    return { status: 'ok', ...encoder.begin(part) }
  }
}
