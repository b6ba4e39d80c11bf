/**
 * The commands there are. Each is loaded when it is asked for, so that one command never pays for another's imports.
 * @module
 */
import type { Command } from '../command.ts'

/** Names of commands. */
export type CommandName = keyof typeof COMMANDS

interface Entry {
  summary: string
  load: () => Promise<Command>
}

/** In the order of help. */
export const COMMANDS = {
  serve: { summary: 'everything on one machine', load: async () => (await import('./serve.ts')).serve },
  start: { summary: 'serve, and one request to see it work', load: async () => (await import('./start.ts')).start },
  gateway: { summary: 'one gateway of a larger fleet', load: async () => (await import('./roles.ts')).gateway },
  scheduler: { summary: 'one scheduler of a larger fleet', load: async () => (await import('./roles.ts')).scheduler },
  instance: { summary: 'instances of a larger fleet', load: async () => (await import('./roles.ts')).instance },
  run: { summary: 'one request; its text to stdout', load: async () => (await import('./run.ts')).run },
  pull: { summary: 'fetch a model into the cache', load: async () => (await import('./pull.ts')).pull },
  ps: { summary: 'requests now', load: async () => (await import('./ps.ts')).ps },
  trace: { summary: "one request's states and times", load: async () => (await import('./trace.ts')).trace },
  explain: { summary: 'the decisions made about a request', load: async () => (await import('./explain.ts')).explain },
  pools: { summary: 'instances, their labels and load', load: async () => (await import('./pools.ts')).pools },
  flip: { summary: 'label an instance by hand', load: async () => (await import('./flip.ts')).flip },
  policy: { summary: 'which policy decides, and another one', load: async () => (await import('./policy.ts')).policy },
  drain: { summary: 'no new work for an instance', load: async () => (await import('./flip.ts')).drain },
  cancel: { summary: 'end a request', load: async () => (await import('./cancel.ts')).cancel },
  chart: { summary: 'the state-chart as Mermaid', load: async () => (await import('./chart.ts')).chart },
  sim: { summary: 'a trace through policies on a virtual clock', load: async () => (await import('./sim.ts')).sim },
  bench: { summary: 'the figures of the README', load: async () => (await import('./bench.ts')).bench },
  setup: {
    summary: 'fetch and build what an engine needs',
    load: async () => (await import('./setup.ts')).setup,
  },
  doctor: {
    summary: 'what is here, what is missing, what mends it',
    load: async () => (await import('./doctor.ts')).doctor,
  },
} satisfies Record<string, Entry>
