/**
 * What a simulation shows to those who look on: every step of instances and requests as it happens, and the whole of it
 * now and then. Looking changes nothing.
 * @module
 */
import type { Label, LabelChange } from '../policy/policy.ts'
import type { SimInstance, SimRequest } from './instance.ts'

/** A label that has changed. */
export interface Flip extends LabelChange {
  atMs: number
}

/** How a request ended. */
export type SimStatus = 'finished' | 'rejected' | 'failed'

/** Looks on; every method may be left empty. Times are virtual ms. */
export abstract class SimObserver {
  arrived(_request: SimRequest): void {}
  /** An iteration begins: `chunks`, `batch` and `fresh` say what is in it. */
  iterating(_instance: SimInstance, _nowMs: number): void {}
  /** It has ended; its effects come after this. */
  iterated(_instance: SimInstance, _nowMs: number): void {}
  /** A prompt is prefilled: its first token exists, or exists again after a preemption. */
  prefilled(_request: SimRequest, _instance: SimInstance, _nowMs: number): void {}
  /** Its KV begins to move from `request.holder`. */
  transferring(_request: SimRequest, _to: SimInstance, _nowMs: number): void {}
  transferred(_request: SimRequest, _from: SimInstance, _to: SimInstance, _nowMs: number): void {}
  /** A label is about to change. */
  flipped(_flip: Flip, _from: Label | undefined): void {}
  ended(_request: SimRequest, _status: SimStatus, _nowMs: number): void {}
  /** At regular intervals, and before whatever else happens at that time. */
  sampled(_instances: readonly SimInstance[], _nowMs: number): void {}
  /** The run is over; who has not ended has failed. */
  finished(_nowMs: number): void {}
}

/** Several as one. */
export class Observers extends SimObserver {
  private readonly all: readonly SimObserver[]

  constructor(all: readonly SimObserver[]) {
    super()
    this.all = all
  }

  override arrived(request: SimRequest): void {
    for (const one of this.all) one.arrived(request)
  }

  override iterating(instance: SimInstance, nowMs: number): void {
    for (const one of this.all) one.iterating(instance, nowMs)
  }

  override iterated(instance: SimInstance, nowMs: number): void {
    for (const one of this.all) one.iterated(instance, nowMs)
  }

  override prefilled(request: SimRequest, instance: SimInstance, nowMs: number): void {
    for (const one of this.all) one.prefilled(request, instance, nowMs)
  }

  override transferring(request: SimRequest, to: SimInstance, nowMs: number): void {
    for (const one of this.all) one.transferring(request, to, nowMs)
  }

  override transferred(request: SimRequest, from: SimInstance, to: SimInstance, nowMs: number): void {
    for (const one of this.all) one.transferred(request, from, to, nowMs)
  }

  override flipped(flip: Flip, from: Label | undefined): void {
    for (const one of this.all) one.flipped(flip, from)
  }

  override ended(request: SimRequest, status: SimStatus, nowMs: number): void {
    for (const one of this.all) one.ended(request, status, nowMs)
  }

  override sampled(instances: readonly SimInstance[], nowMs: number): void {
    for (const one of this.all) one.sampled(instances, nowMs)
  }

  override finished(nowMs: number): void {
    for (const one of this.all) one.finished(nowMs)
  }
}
