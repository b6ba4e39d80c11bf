/**
 * `defineActor()`: the code of one phase. An actor keeps nothing between calls; what it learns goes back as one event.
 * @module
 */
import { VolleyError } from '../errors.ts'
import { isToken } from '../ids.ts'
import type { Clock } from '../clock.ts'
import type { Engine } from '../engine/engine.ts'
import type { TextModel } from '../engine/text.ts'
import type { JsonObject } from '../json.ts'
import type { PhaseEvent } from '../machine/types.ts'
import type { HandOver } from '../wire/hop.ts'
import type { Encoder } from './encoder.ts'
import type { GapMeter } from './gaps.ts'
import type { Holds } from './holds.ts'
import type { Inputs } from './inputs.ts'
import type { Mover } from './mover.ts'
import type { Reader } from './reader.ts'

/** Which of an instance's slots a phase takes. */
export type SlotClass = 'prefill' | 'decode' | 'other'

/** What an instance offers its actors. */
export interface Services {
  engine: Engine
  text: TextModel
  holds: Holds
  inputs: Inputs
  transfer: Mover
  /** Where the engine sees pictures. */
  encoder?: Encoder
  /** Told of every decode's tokens as they are made. */
  gaps: GapMeter
  /** A fresh watch over one choice's text: told its tokens in order, it answers true when a stop string is complete. */
  stopWatch: (stop: string[]) => (token: number) => boolean
}

export interface ActorContext<Context extends JsonObject = JsonObject> {
  readonly id: string
  readonly epoch: number
  /** Names this try: a newer one fences it. */
  readonly attempt: number
  readonly state: string
  /** The pipeline's context, as the last hop left it. */
  readonly context: Context
  /** What the state of the chart says besides: `with` of its definition. */
  readonly params: JsonObject
  /** Wall clock, ms. */
  readonly deadline: number
  /** Prefill only: the policy wants the decode on this very instance. */
  readonly decodeHere: boolean
  /** Prefill only: where the policy would have the decode later; null = it decides when there is something to decode. */
  readonly decodeAt: string | null
  /** Encode only: instances that would begin a part of it now, the least busy first. */
  readonly alongside: readonly string[]
  readonly instance: { id: string; incarnation: string }
  /** Fires when the work has become pointless: cancelled, fenced, shutting down. */
  readonly signal: AbortSignal
  /** Says that it waits for something that is made elsewhere, or no longer: others may have its slot meanwhile. */
  readonly waits: (on: boolean) => void
  readonly clock: Clock
  /** The open response of this request. */
  readonly reader: Reader
  readonly services: Services
}

export interface Actor {
  /** The phase it carries out. */
  readonly name: string
  readonly slots: SlotClass
  /** Whether this instance has room for the hop now; asked at hand-over, must be quick. */
  accepts(handOver: HandOver, services: Services): boolean
  /** Prompt tokens that it will hold here, to be counted from the moment the hop is taken. */
  tokensOf(handOver: HandOver): number
  /**
   * Does the work and says what came of it. Throwing makes it FAIL with the error's code; a thrown `cancelled` after the
   * signal has fired is not a failure.
   */
  run(context: ActorContext): Promise<PhaseEvent>
}

export interface ActorConfig<Context extends JsonObject> {
  name: string
  /** @default {'other'} */
  slots?: SlotClass
  /** @default {always} */
  accepts?: (context: Context, handOver: HandOver, services: Services) => boolean
  /** @default {0} */
  tokensOf?: (context: Context) => number
  run: (context: ActorContext<Context>) => Promise<PhaseEvent>
}

/** Defines the code of a phase. Error: `pipeline_invalid` for a name that cannot be part of a subject. */
export function defineActor<Context extends JsonObject = JsonObject>(config: ActorConfig<Context>): Actor {
  const { name, slots = 'other', accepts = () => true, tokensOf = () => 0, run } = config
  if (!isToken(name)) {
    throw new VolleyError('pipeline_invalid', `Cannot define actor "${name}": its name must be letters, digits, - or _`)
  }
  return {
    name,
    slots,
    accepts: (handOver, services) => accepts(handOver.hop.stored.context as Context, handOver, services),
    tokensOf: (handOver) => tokensOf(handOver.hop.stored.context as Context),
    run: (context) => run(context as ActorContext<Context>),
  }
}
