/**
 * Which room may import which: arrows run one way. The table is the rule; ARCHITECTURE.md tells it to people.
 */
import { describe, expect, test } from 'vitest'
import { type Import, importsOf, packageOf, read, resolveImport, sources, tracked } from './sources.ts'

/** Rooms in order. A file belongs to the room with the longest prefix that fits. */
const ROOM_OF: Record<string, string> = {
  'runtime/errors.ts': 'leaves',
  'runtime/clock.ts': 'leaves',
  'runtime/ids.ts': 'leaves',
  'runtime/json.ts': 'leaves',
  'runtime/platform.ts': 'leaves',
  'runtime/version.ts': 'leaves',
  // Its version is read from it.
  'package.json': 'leaves',
  'runtime/machine/': 'machine',
  'runtime/wire/': 'wire',
  'runtime/bus/': 'bus',
  'runtime/kv/': 'kv',
  'runtime/transfer/': 'transfer',
  'runtime/engine/': 'engine',
  'runtime/policy/': 'policy',
  'runtime/pool/': 'pool',
  'runtime/sim/': 'sim',
  'runtime/observe/': 'observe',
  'runtime/config/': 'config',
  'runtime/fetch/': 'fetch',
  'runtime/models/': 'models',
  'runtime/setup/': 'setup',
  'runtime/client/': 'client',
  'actors/': 'actors shared',
  'actors/encode/': 'phase encode',
  'actors/prefill/': 'phase prefill',
  'actors/transfer/': 'phase transfer',
  'actors/decode/': 'phase decode',
  'actors/show/': 'phase show',
  'actors/gateway/': 'gateway',
  'actors/scheduler/': 'scheduler',
  'actors/instance/': 'instance',
  'actors/supervisor/': 'supervisor',
  'cli/': 'cli',
  'bench/': 'bench',
  'bootstrap/': 'bootstrap',
  'mod.ts': 'door',
  'examples/': 'examples',
}

const PORTS = ['bus', 'kv', 'transfer', 'engine', 'policy']
const LIBRARY = ['machine', 'wire', ...PORTS, 'pool', 'observe', 'config', 'fetch', 'models', 'setup', 'client']
const PHASES = Object.values(ROOM_OF).filter((room) => room.startsWith('phase '))
const ACTORS = ['actors shared', ...PHASES, 'gateway', 'scheduler', 'instance', 'supervisor']

/** What a room may import besides itself and the leaves. */
const MAY: Record<string, readonly string[]> = {
  leaves: [],
  machine: [],
  wire: ['machine'],
  bus: ['wire'],
  kv: [],
  engine: ['wire', 'kv'],
  transfer: ['wire', 'bus', 'kv', 'engine'],
  policy: [],
  observe: [],
  config: [],
  fetch: [],
  models: ['fetch', 'config'],
  setup: ['fetch', 'engine'],
  pool: ['machine', 'wire', ...PORTS, 'observe'],
  sim: ['machine', 'wire', 'policy', 'kv', 'engine', 'observe'],
  client: ['machine', 'wire', ...PORTS, 'pool'],
  'actors shared': LIBRARY,
  ...Object.fromEntries(PHASES.map((phase) => [phase, [...LIBRARY, 'actors shared']])),
  gateway: [...LIBRARY, 'actors shared'],
  scheduler: [...LIBRARY, 'actors shared'],
  // An instance hosts every phase; nobody else knows one.
  instance: [...LIBRARY, 'actors shared', ...PHASES],
  supervisor: [...LIBRARY, 'actors shared'],
  cli: [...LIBRARY, 'sim', ...ACTORS],
  bench: [...LIBRARY, 'sim', ...ACTORS],
  // Plain JavaScript that runs before anything is there.
  bootstrap: [],
  door: [...LIBRARY, 'sim'],
  examples: ['door'],
}

/** Packages that only some places may know. Everything in package.json that is not named here is for nobody. */
const PACKAGES: Record<string, readonly string[]> = {
  xstate: ['runtime/machine/'],
  '@nats-io/transport-node': ['runtime/bus/'],
  '@nats-io/jetstream': ['runtime/bus/'],
  '@nats-io/kv': ['runtime/bus/'],
  '@tensorflow/tfjs-core': ['runtime/engine/tfjs/'],
  '@tensorflow/tfjs-backend-cpu': ['runtime/engine/tfjs/'],
  '@tensorflow/tfjs-backend-wasm': ['runtime/engine/tfjs/'],
  '@tensorflow/tfjs-backend-webgpu': ['runtime/engine/tfjs/'],
  '@huggingface/tokenizers': ['runtime/engine/text/'],
  '@huggingface/jinja': ['runtime/engine/text/'],
  sharp: ['runtime/engine/vision/'],
  hono: ['actors/gateway/http/'],
  '@hono/node-server': ['actors/gateway/http/'],
  zod: ['actors/gateway/http/'],
  'prom-client': ['actors/gateway/http/'],
  pino: ['runtime/observe/', 'actors/gateway/http/'],
  msgpackr: ['runtime/wire/', 'runtime/pool/', 'runtime/transfer/'],
  citty: ['cli/'],
  picocolors: ['cli/'],
  // An example's own test lies beside it.
  vitest: ['examples/'],
}

/** Files that load what a user names, or a role or a benchmark by its name: their imports cannot be read. */
const COMPUTED = [
  'bench/llama-program.ts',
  'actors/extensions.ts',
  'actors/policies.ts',
  'bootstrap/launch.mjs',
  'bootstrap/run.mjs',
  'cli/commands/bench.ts',
  'cli/modules.ts',
  'runtime/config/sources.ts',
  'runtime/engine/worker/model.ts',
  'runtime/engine/worker/thread.ts',
]

function roomOf(path: string): string | undefined {
  const fits = Object.keys(ROOM_OF).filter((prefix) =>
    path === prefix || (prefix.endsWith('/') && path.startsWith(prefix))
  )
  return ROOM_OF[fits.sort((a, b) => b.length - a.length)[0] ?? '']
}

/** What is wrong with one import, in a sentence that says what to do; undefined = nothing. */
function judge(from: string, { specifier, lazy }: Pick<Import, 'specifier' | 'lazy'>): string | undefined {
  const room = roomOf(from)
  if (room === undefined) return `${from} is in no room: name its folder in ROOM_OF and say in MAY what it may import`
  const name = packageOf(specifier)
  if (name !== undefined) {
    const places = PACKAGES[name]
    if (places === undefined) {
      return `${from} imports ${name}, which no room knows: use what is there, or add it to PACKAGES with its place`
    }
    return places.some((place) => from.startsWith(place))
      ? undefined
      : `${from} imports ${name}, which belongs to ${places.join(', ')}: ask that room for what you need`
  }
  const path = resolveImport(from, specifier)
  if (path === undefined) return undefined
  const target = roomOf(path)
  if (target === undefined) return `${from} imports ${path}, which is in no room: name its folder in ROOM_OF`
  // A worker or a child process starts with the leaves' help, whoever started it.
  if (room === 'bootstrap' && lazy && ['cli', 'leaves'].includes(target)) return undefined
  if (target === room || (target === 'leaves' && room !== 'examples') || MAY[room]!.includes(target)) return undefined
  return `${from} (${room}) imports ${path} (${target}): arrows run leaves -> machine, wire -> ports -> pool -> ` +
    `actors -> cli; ` +
    `move what is shared down, or hand it in`
}

describe('layers', () => {
  test('every room has its rules', () => {
    expect([...new Set(Object.values(ROOM_OF))].filter((room) => !(room in MAY))).toEqual([])
    const known = new Set(Object.values(ROOM_OF))
    expect(Object.values(MAY).flat().filter((room) => !known.has(room))).toEqual([])
  })

  test('the table itself has no way back', () => {
    const edges = Object.fromEntries(Object.entries(MAY).map(([room, to]) => [room, [...to]]))
    expect(cyclesOf(edges)).toEqual([])
  })

  test('imports run one way', () => {
    const wrong = sources.flatMap((path) => importsOf(read(path)).imports.flatMap((one) => judge(path, one) ?? []))
    expect(wrong).toEqual([])
  })

  test('examples use the public door only', () => {
    const wrong = sources.filter((path) => path.startsWith('examples/')).flatMap((path) =>
      importsOf(read(path)).imports
        .map(({ specifier }) => specifier)
        .filter((s) => !s.startsWith('node:') && !s.startsWith('./') && resolveImport(path, s) !== 'mod.ts')
        .filter((s) => s !== 'vitest' || !path.endsWith('.test.ts'))
        .map((s) =>
          `${path} imports ${s}: an example imports mod.ts, node: and its own files; export there what it needs`
        )
    )
    expect(wrong).toEqual([])
  })

  test('only a few files import what their text does not name', () => {
    const wrong = sources.filter((path) => importsOf(read(path)).computed && !COMPUTED.includes(path))
    expect(
      wrong.map((path) =>
        `${path} computes what it imports: write the path as a literal, so that this test can read it`
      ),
    ).toEqual([])
  })

  test('no file imports itself by a detour', () => {
    const edges: Record<string, string[]> = {}
    for (const path of sources) {
      edges[path] = importsOf(read(path)).imports
        .filter(({ lazy }) => !lazy)
        .flatMap(({ specifier }) => resolveImport(path, specifier) ?? [])
    }
    expect(cyclesOf(edges).map((cycle) => `${cycle.join(' -> ')}: move what they share into a third file`)).toEqual([])
  })

  test('every imported file exists', () => {
    const known = new Set(tracked)
    const wrong = sources.flatMap((path) =>
      importsOf(read(path)).imports
        .flatMap(({ specifier }) => resolveImport(path, specifier) ?? [])
        .filter((target) => !known.has(target))
        .map((target) => `${path} imports ${target}, which is not there`)
    )
    expect(wrong).toEqual([])
  })
})

describe('layers: the rules bite', () => {
  const from = (path: string, text: string) => importsOf(text).imports.flatMap((one) => judge(path, one) ?? [])
  test('a way back', () => {
    expect(from('runtime/machine/x.ts', `import type { Bus } from '../bus/bus.ts'`)).toHaveLength(1)
    expect(from('runtime/pool/x.ts', `export { y } from '../../actors/kv.ts'`)).toHaveLength(1)
    expect(from('actors/decode/x.ts', `const y = await import('../prefill/actor.ts')`)).toHaveLength(1)
    expect(from('examples/01/x.ts', `import { y } from '../../runtime/errors.ts'`)).toHaveLength(1)
    expect(from('runtime/machine/x.ts', `import { y } from '../errors.ts'`)).toEqual([])
  })
  test('a package out of its place', () => {
    expect(from('runtime/pool/x.ts', `import { connect } from '@nats-io/transport-node'`)).toHaveLength(1)
    expect(from('runtime/engine/loop/x.ts', `import * as tf from '@tensorflow/tfjs-core'`)).toHaveLength(1)
    expect(from('runtime/pool/x.ts', `import _ from 'lodash'`)).toHaveLength(1)
    expect(from('runtime/bus/x.ts', `import { connect } from '@nats-io/transport-node'`)).toEqual([])
  })
  test('words in comments and strings are no imports', () => {
    const text =
      `// import { a } from '../bus/bus.ts'\n/* import('x') */\nconst b = "import { c } from 'd'" + \`import('\${e}')\``
    expect(importsOf(text)).toEqual({ imports: [], computed: false })
  })
  test('a cycle', () => {
    expect(cyclesOf({ a: ['b'], b: ['c'], c: ['a'], d: ['a'] })).toEqual([['a', 'b', 'c', 'a']])
  })
})

/** Cycles of a graph, one for each way back that a walk in order meets. */
function cyclesOf(edges: Record<string, readonly string[]>): string[][] {
  const cycles: string[][] = []
  const done = new Set<string>()
  const walk = (node: string, road: string[]) => {
    const at = road.indexOf(node)
    if (at >= 0) return void cycles.push([...road.slice(at), node])
    if (done.has(node)) return
    for (const next of edges[node] ?? []) walk(next, [...road, node])
    done.add(node)
  }
  for (const node of Object.keys(edges).sort()) walk(node, [])
  return cycles
}
