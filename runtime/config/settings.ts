/**
 * Every setting of Volley, once: its flag, its kind, its default, its help. Flags, environment variables, keys of a
 * config file, `--help` and docs/configuration.md all come from this table. Knows nothing of where values come from.
 * @module
 */
import { type Config, type EngineName, ENGINES, LABELS, type PhaseName, PHASES, type Role } from './config.ts'
import { durationMs, integer, type Kind, list, oneOf, optional, pairs, text } from './kinds.ts'

/** One row of the table. */
export interface Setting<T> {
  /** Without dashes. `VOLLEY_` and its capitals is the variable; itself, or in camel case, is the key in a file. */
  flag: string
  /** What stands for the value in help. */
  hint: string
  help: string
  kind: Kind<T>
  default: T
  /** What the default means, where the value does not say it. */
  defaultHelp?: string
  /** Another environment variable that is understood; `VOLLEY_…` wins. */
  alsoEnv?: string
  /** Never shown. */
  secret?: true
  /** May be given several times on the command line. */
  repeat?: true
  /** Which processes it concerns; `serve` hands each its own. */
  roles: readonly Role[]
}

const ALL = ['gateway', 'scheduler', 'instance'] as const
const policy = text('the name of a policy, or the path of a file such as ./my-policy.ts', /^(?:[a-z0-9-]+|.*[\\/].*|.*\.[cm]?[jt]s)$/)
const engine = oneOf(ENGINES)
const enginePhases = pairs(PHASES, engine, ':')

/** `wasm` for all phases, or `prefill:tensorflow,decode:wasm`; phases left out are `auto`. */
const engineOfPhases: Kind<Record<PhaseName, EngineName>> = {
  expects: `one of ${ENGINES.join(', ')}, or one a phase such as prefill:tensorflow,decode:wasm`,
  read(raw) {
    const one = engine.read(raw)
    const some = one ? { prefill: one, decode: one, encode: one } : enginePhases.read(raw)
    return some && { prefill: 'auto', decode: 'auto', encode: 'auto', ...some }
  },
  show: (value) => {
    const same = value.prefill === value.decode && value.decode === value.encode
    return same ? value.prefill : enginePhases.show(value)
  },
}

/** The table. Order is the order of help. */
export const SETTINGS: { readonly [K in keyof Config]: Setting<Config[K]> } = {
  model: {
    flag: 'model',
    hint: 'PATH|NAME',
    roles: ['gateway', 'instance'],
    default: undefined,
    defaultHelp: 'the model that ships',
    help: 'GGUF file, Hugging Face directory, or name of a pulled model',
    kind: optional(text('a path or a name')),
  },
  port: {
    flag: 'port',
    hint: 'N',
    roles: ['gateway'],
    default: 8080,
    help: 'HTTP port; 0 = any free one',
    kind: integer({ min: 0, max: 65_535 }),
  },
  host: {
    flag: 'host',
    hint: 'ADDRESS',
    roles: ['gateway'],
    default: '127.0.0.1',
    help: 'address to listen on',
    kind: text('an address or a host name', /^[A-Za-z0-9.:_-]+$/),
  },
  instances: {
    flag: 'instances',
    hint: 'N',
    roles: ['instance'],
    default: 1,
    defaultHelp: '1, or the sum of --labels',
    help: 'instances: each an engine with its own copy of the work',
    kind: integer({ min: 1, max: 256 }),
  },
  labels: {
    flag: 'labels',
    hint: 'prefill=1,decode=1',
    roles: ['instance'],
    default: {},
    defaultHelp: 'none: every instance takes every phase',
    help: 'how many instances carry each label: a phase, or two as in encode+prefill=1; alone it implies --instances',
    kind: pairs(LABELS, integer({ min: 0, max: 256 })),
  },
  perProcess: {
    flag: 'per-process',
    hint: 'N',
    roles: ['instance'],
    default: 1,
    help: 'instances that share one process',
    kind: integer({ min: 1, max: 64 }),
  },
  policy: {
    flag: 'policy',
    hint: 'NAME|FILE',
    roles: ['scheduler'],
    default: 'arrow-v2',
    help: 'who gets which request: a policy by name, or the file of your own',
    kind: policy,
  },
  shadow: {
    flag: 'shadow',
    hint: 'NAME|FILE',
    roles: ['scheduler'],
    default: undefined,
    defaultHelp: 'none',
    help: 'a policy that decides on the same events and moves nothing: its agreement is shown',
    kind: optional(policy),
  },
  flips: {
    flag: 'flips',
    hint: 'dwell=MS,cooldown=MS',
    roles: ['scheduler'],
    default: {},
    defaultHelp: 'dwell=1000, and the cooldown of the policy',
    help: 'least times in milliseconds: that a label lasts, and between two flips to decode',
    kind: pairs(['dwell', 'cooldown'], integer({ min: 0, max: 86_400_000 })),
  },
  engine: {
    flag: 'engine',
    hint: 'NAME',
    roles: ['instance'],
    default: { prefill: 'auto', decode: 'auto', encode: 'auto' },
    help: `what computes: ${ENGINES.join(', ')}; or one a phase: prefill:tensorflow,decode:wasm`,
    kind: engineOfPhases,
  },
  threads: {
    flag: 'threads',
    hint: 'N',
    roles: ['instance'],
    default: undefined,
    defaultHelp: "the engine's own",
    help: 'compute threads of one instance',
    kind: optional(integer({ min: 1, max: 1024 })),
  },
  profilePace: {
    flag: 'profile-pace',
    hint: 'NAME',
    roles: ['instance'],
    default: undefined,
    defaultHelp: 'none: as fast as it goes',
    help: 'for experiments: no step of the engine ends before it would on the machine of this cost profile (see volley sim)',
    kind: optional(text('the name of a cost profile, such as l30b', /^[A-Za-z0-9.-]+$/)),
  },
  dtype: {
    flag: 'dtype',
    hint: 'f32|q8|q4',
    roles: ['instance'],
    default: undefined,
    defaultHelp: 'as in the file',
    help: 'how weights are held',
    kind: optional(oneOf(['f32', 'q8', 'q4'])),
  },
  context: {
    flag: 'context',
    hint: 'N',
    roles: ['gateway', 'instance'],
    default: undefined,
    defaultHelp: 'what the model was made for',
    help: 'longest sequence in tokens, prompt and output together',
    kind: optional(integer({ min: 8, max: 10_000_000 })),
  },
  maxBatch: {
    flag: 'max-batch',
    hint: 'N',
    roles: ['instance'],
    default: undefined,
    defaultHelp: "the engine's own",
    help: 'most sequences decoded at once',
    kind: optional(integer({ min: 1, max: 4096 })),
  },
  slo: {
    flag: 'slo',
    hint: 'ttft=MS,tpot=MS',
    roles: ALL,
    default: {},
    defaultHelp: 'none',
    help: 'targets: time to first token and time per output token, in milliseconds',
    kind: pairs(['ttft', 'tpot'], integer({ min: 1, max: 86_400_000 })),
  },
  transfer: {
    flag: 'transfer',
    hint: 'MODE',
    roles: ['gateway', 'instance'],
    default: 'auto',
    help: 'how KV blocks and pictures move between processes: auto, memory, unix, tcp, nats',
    kind: oneOf(['auto', 'memory', 'unix', 'tcp', 'nats']),
  },
  transferHost: {
    flag: 'transfer-host',
    hint: 'ADDRESS',
    roles: ['gateway', 'instance'],
    default: '127.0.0.1',
    help: 'address of this machine on which instances of other machines may pull KV and pictures over TCP',
    // Others are told this address: "every one of mine" would send them to themselves.
    kind: text('an address or a host name that others reach, not 0.0.0.0 or ::', /^(?!0\.0\.0\.0$|::$)[A-Za-z0-9.:_-]+$/),
  },
  apiKeys: {
    flag: 'api-key',
    hint: 'KEY',
    roles: ['gateway'],
    default: [],
    defaultHelp: 'none: open to all who can connect',
    secret: true,
    repeat: true,
    help: 'a key that callers must show as a bearer token; may be given several times',
    kind: list(text('a key without spaces or commas', /^[^\s,]+$/)),
  },
  imageHosts: {
    flag: 'image-host',
    hint: 'HOST',
    roles: ['gateway'],
    default: [],
    defaultHelp: 'none: only data: URLs',
    repeat: true,
    help: 'a public host, or HOST:PORT, from which images may be fetched; may be given several times',
    kind: list(text('a host name', /^[A-Za-z0-9.:_-]+$/)),
  },
  maxBodyMib: {
    flag: 'max-body',
    hint: 'MIB',
    roles: ['gateway'],
    default: 32,
    help: 'longest body of a chat with images, in MiB',
    kind: integer({ min: 1, max: 256 }),
  },
  pipelines: {
    flag: 'pipeline',
    hint: 'FILE',
    roles: ['gateway', 'scheduler', 'instance'],
    default: [],
    defaultHelp: 'none',
    repeat: true,
    help: 'a module that exports `pipelines` and `actors` of your own; may be given several times',
    kind: list(text('a path', /^[^,]+$/)),
  },
  nats: {
    flag: 'nats',
    hint: 'URL',
    roles: ALL,
    default: undefined,
    defaultHelp: 'one is started',
    alsoEnv: 'NATS_URL',
    help: 'a nats-server that runs already, such as nats://127.0.0.1:4222',
    kind: optional(
      text(
        'a URL such as nats://127.0.0.1:4222',
        /^(?:(?:nats|tls|wss?):\/\/)?[^\s/,]+(?:,(?:(?:nats|tls|wss?):\/\/)?[^\s/,]+)*\/?$/,
      ),
    ),
  },
  graceMs: {
    flag: 'grace',
    hint: 'SECONDS',
    roles: ALL,
    default: 10_000,
    help: 'how long running requests may take to finish when the system stops',
    kind: durationMs({ maxMs: 3_600_000 }),
  },
  name: {
    flag: 'name',
    hint: 'NAME',
    roles: ALL,
    default: undefined,
    defaultHelp: 'a random one',
    help: 'name of this process in the fleet',
    kind: optional(text('letters, digits, - and _', /^[A-Za-z0-9_-]{1,64}$/)),
  },
  logLevel: {
    flag: 'log-level',
    hint: 'LEVEL',
    roles: ALL,
    default: 'warn',
    help: 'trace, debug, info, warn, error or silent; JSON lines on stderr',
    kind: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent']),
  },
}

/** Environment variables that are no settings: they say where things lie, and help to find faults. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  VOLLEY_CONFIG: 'config file, as --config',
  VOLLEY_CACHE: 'where models, the nats-server and the Node that Volley fetched are kept (default: ~/.cache/volley)',
  VOLLEY_STATE: 'where a running system leaves its runtime file and its stream store (default: ~/.local/state/volley)',
  VOLLEY_NATS_SERVER: 'path of the nats-server to start',
  VOLLEY_DEBUG: '1 = errors with their stack',
  VOLLEY_PARENT_FD: 'set by a parent of its own processes: they end when this pipe closes',
}

/** The environment variable of a flag. */
export const variableOf = (flag: string): string => `VOLLEY_${flag.toUpperCase().replaceAll('-', '_')}`
