/**
 * The real thing behind the HTTP routes: admits requests over the bus, reads their tokens, answers questions about them.
 * @module
 */
import type { Bus } from '../../runtime/bus/bus.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { TextModel } from '../../runtime/engine/text.ts'
import type { Prompts } from '../../runtime/engine/text/prompts.ts'
import { ERROR_KINDS, type ErrorCode, VolleyError } from '../../runtime/errors.ts'
import { newId, toToken } from '../../runtime/ids.ts'
import type { TokenOut } from '../../runtime/engine/engine.ts'
import { pipelineOf } from '../../runtime/machine/registry.ts'
import { inspectAll, inspectOne } from '../../runtime/client/inspect.ts'
import type { InstanceView } from '../../runtime/policy/policy.ts'
import { inject } from '../../runtime/pool/inject.ts'
import type { Cluster } from '../../runtime/pool/view.ts'
import type { TransferPlane } from '../../runtime/transfer/plane.ts'
import type { Admissions } from './admissions.ts'
import { admit } from './admit.ts'
import type { Front, FrontStats, OpenRequest, PictureSide, RequestDetails, RequestSummary, Submission } from './front.ts'
import { type End, OpenRequests, type OpenResponse } from './open-requests.ts'
import { offerPictures } from './pictures/offer.ts'

export interface ClusterFrontOptions {
  bus: Bus
  clock: Clock
  /** This gateway's id: one subject token, new for every life of the process. */
  gateway: string
  text: TextModel
  prompts: Prompts
  /** Where the model sees. */
  pictures?: PictureSide
  cluster: Cluster
  /** Where pictures of open requests are offered to encoders. */
  plane: TransferPlane
  /** Requests that may be open here at once; more are refused with 429. */
  maxOpen: number
  /** Keeps what it expects of requests, and what came of it. */
  admissions: Admissions
  onError?: (error: unknown, request: string) => void
}

export class ClusterFront implements Front {
  private readonly options: ClusterFrontOptions
  private readonly open: OpenRequests
  private readonly createdMs: number
  private closing = false

  constructor(options: ClusterFrontOptions) {
    this.options = options
    this.open = new OpenRequests(options.bus, options.clock, options.gateway)
    this.createdMs = options.clock.now()
  }

  models() {
    const { text, prompts, pictures, cluster } = this.options
    const name = toToken(text.name)
    const limits = cluster.view().instances.filter((i) => i.model === name).map((i) => i.contextLength)
    const contextLength = Math.min(text.contextLength, ...limits)
    return [{ text: { ...text, contextLength }, prompts, createdMs: this.createdMs, ...(pictures && { pictures }) }]
  }

  stats(): FrontStats {
    const instances = this.instances()
    const running = instances.reduce((sum, i) => sum + i.prefills + i.decodes, 0)
    const total = instances.reduce((sum, i) => sum + i.kvTokensTotal, 0)
    const free = instances.reduce((sum, i) => sum + i.kvTokensFree, 0)
    const open = this.open.running().length
    const notReady = this.closing
      ? 'the gateway is shutting down'
      : instances.length === 0
      ? `no instance serves model "${this.options.text.name}" yet`
      : undefined
    return { notReady, running, waiting: Math.max(0, open - running), kvUsage: total === 0 ? 0 : (total - free) / total, instances: instances.length }
  }

  async submit(submission: Submission, signal: AbortSignal): Promise<OpenRequest> {
    const { bus, clock, gateway, plane, maxOpen, admissions } = this.options
    if (this.closing) throw new VolleyError('shutting_down', 'Cannot take a request: the gateway is shutting down')
    if (submission.pipeline !== undefined) pipelineOf(submission.pipeline)
    if (this.open.running().length >= maxOpen) {
      throw new VolleyError('overloaded', `Cannot take a request: ${maxOpen} are open already`, { remedy: 'try again a little later' })
    }
    if (this.stats().instances === 0) {
      throw new VolleyError('no_instance', `Cannot take a request: no instance serves model "${submission.model}"`, {
        remedy: 'start one with "volley instance --nats URL"',
      })
    }
    if (submission.pictures.length > 0 && !this.instances().some(({ phases }) => phases.includes('encode'))) {
      throw new VolleyError('no_instance', `Cannot take a request: no instance of model "${submission.model}" encodes pictures`)
    }
    const id = newId('req')
    const { images, release } = offerPictures(plane, id, submission.pictures)
    const open = this.open.running().length
    const response = this.open.add(id, submission.n)
    void response.whenEnded.then(release)
    try {
      await admit(submission, { bus, clock, gateway, id, images })
    } catch (error) {
      release()
      this.open.remove(id)
      throw error
    }
    // What pictures or a pipeline of one's own take before a prefill, nobody predicts.
    const isPlain = submission.pictures.length === 0 && submission.pipeline === undefined
    const onFirst = isPlain ? admissions.taken(id, submission.prompt.length, this.instances(), open) : () => {}
    const cancel = () => {
      const event = { type: 'CANCEL', error: { code: 'cancelled', message: 'The caller went away' } }
      void inject(bus, clock, id, event).catch((error) => this.options.onError?.(error, id))
    }
    if (signal.aborted) cancel()
    return { id, tokens: tokensOf(response, onFirst), cancel }
  }

  /** Those that serve the model. */
  private instances(): InstanceView[] {
    return this.options.cluster.view().instances.filter((i) => i.model === toToken(this.options.text.name))
  }

  requests(): Promise<RequestSummary[]> {
    return inspectAll(this.options.bus)
  }

  request(id: string): Promise<RequestDetails | undefined> {
    return inspectOne(this.options.bus, id)
  }

  async cancel(id: string, signal: AbortSignal): Promise<boolean> {
    const event = { type: 'CANCEL', error: { code: 'cancelled', message: 'Cancelled by request' } }
    return (await inject(this.options.bus, this.options.clock, id, event, { signal })) !== 'none'
  }

  /** No new requests; resolves when the open ones have ended or `graceMs` has passed, then cancels the rest. */
  async close(graceMs: number): Promise<void> {
    const { bus, clock } = this.options
    this.closing = true
    const end = clock.monotonic() + graceMs
    while (this.open.running().length > 0 && clock.monotonic() < end) {
      await new Promise<void>((resolve) => clock.setTimer(20, resolve))
    }
    const event = { type: 'CANCEL', error: { code: 'shutting_down', message: 'The gateway is shutting down' } }
    await Promise.allSettled(this.open.running().map((id) => inject(bus, clock, id, event)))
    this.open.close()
  }
}

async function* tokensOf(response: OpenResponse, onFirst: () => void): AsyncGenerator<TokenOut[]> {
  let isFirst = true
  for await (const batch of response.tokens()) {
    if (isFirst) onFirst()
    isFirst = false
    yield batch
  }
  const end = await response.whenEnded
  if (end.state !== 'done') throw errorOf(end)
}

/** How a request ended, as the error its reader gets. */
function errorOf({ state, error }: End): VolleyError {
  const fallback: ErrorCode = state === 'cancelled' ? 'cancelled' : 'internal'
  const code = error !== undefined && error.code in ERROR_KINDS ? (error.code as ErrorCode) : fallback
  return new VolleyError(code, error?.message ?? `The request was ${state}`)
}
