/**
 * Every subject, built here and nowhere else. Coarse to fine, the request id last for hops and before the state for events.
 * @module
 */
import { isToken } from '../ids.ts'
import { VolleyError } from '../errors.ts'

function token(text: string): string {
  if (!isToken(text)) throw new VolleyError('internal', `Cannot build a subject: "${text}" is not one token of letters, digits, - or _`)
  return text
}

export const subjects = {
  hop: (phase: string, model: string, lane: string, id: string): string =>
    `volley.v1.hop.${token(phase)}.${token(model)}.${token(lane)}.${token(id)}`,
  hopsOfPhase: (phase: string): string => `volley.v1.hop.${token(phase)}.>`,
  hopsOfRequest: (id: string): string => `volley.v1.hop.*.*.*.${token(id)}`,
  timer: (id: string, name: string): string => `volley.v1.timer.${token(id)}.${token(name)}`,
  timersOfRequest: (id: string): string => `volley.v1.timer.${token(id)}.*`,
  event: (id: string, state: string): string => `volley.v1.evt.${token(id)}.${token(state)}`,
  eventsOfRequest: (id: string): string => `volley.v1.evt.${token(id)}.*`,
  allEvents: 'volley.v1.evt.>',
  /** What a scheduler decided about a request: kept beside its events. */
  decision: (id: string, phase: string): string => `volley.v1.dec.${token(id)}.${token(phase)}`,
  decisionsOfRequest: (id: string): string => `volley.v1.dec.${token(id)}.*`,
  allDecisions: 'volley.v1.dec.>',
  tokens: (gateway: string, id: string): string => `volley.v1.tok.${token(gateway)}.${token(id)}`,
  tokensOfGateway: (gateway: string): string => `volley.v1.tok.${token(gateway)}.*`,
  claim: (gateway: string): string => `volley.v1.gw.${token(gateway)}.claim`,
  end: (gateway: string): string => `volley.v1.gw.${token(gateway)}.end`,
  handOver: (instance: string): string => `volley.v1.inst.${token(instance)}.hop`,
  /** Asks an instance to encode some of a request's tiles for another. */
  encode: (instance: string): string => `volley.v1.enc.${token(instance)}`,
  instanceOp: (instance: string, op: string): string => `volley.v1.inst.${token(instance)}.${token(op)}`,
  /** A hop that was given up, whole: for people. */
  dead: (id: string): string => `volley.v1.dead.${token(id)}`,
  allDead: 'volley.v1.dead.>',
  control: (id: string): string => `volley.v1.ctl.${token(id)}`,
  allControl: 'volley.v1.ctl.*',
  requestState: (id: string): string => `volley.v1.request.${token(id)}.state`,
  allRequestStates: 'volley.v1.request.*.state',
} as const

/** What is kept of a bucket's key: a filter for `Bus.history`. */
export const keyHistory = (bucket: string, key: string): string => `$KV.${bucket}.${token(key)}`
