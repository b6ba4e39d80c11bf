import { afterEach, describe, expect, test } from 'vitest'
import type { EngineThread } from '../../../runtime/engine/worker/client.ts'
import { startEngine } from '../../../runtime/engine/worker/start.ts'
import type { ToyOptions } from '../../helpers/toy-forward.ts'
import { drawn, generate, prompt, toyEngine } from '../../helpers/toy-engine.ts'

const factory = new URL('../../helpers/toy-factory.ts', import.meta.url)
const open: EngineThread[] = []
const start = async (load: ToyOptions = {}, sizes = {}) => {
  const engine = await startEngine({ factory, load: { ...load }, blockTokens: 4, chunkTokens: 16, ...sizes })
  open.push(engine)
  return engine
}
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.close()
})

describe('startEngine()', () => {
  test('gives the same tokens as the core on this thread', async () => {
    const engine = await start()
    const { engine: core } = toyEngine()
    const [here, there] = [await generate(core, prompt(37), drawn, { choices: 2 }), await generate(engine, prompt(37), drawn, { choices: 2 })]
    expect(there.outs.toSorted(byPlace)).toEqual(here.outs.toSorted(byPlace))
    expect(engine.info).toEqual(core.info)
    await core.close()
  })
})

const byPlace = (a: { choice: number; index: number }, b: { choice: number; index: number }) =>
  a.choice - b.choice || a.index - b.index
