import { expect, test } from 'vitest'
import { EngineCore } from '../../../runtime/engine/loop/core.ts'
import { byPhase } from '../../../runtime/engine/phases.ts'
import { drawn, generate, prompt } from '../../helpers/toy-engine.ts'
import { toyForward } from '../../helpers/toy-forward.ts'

/** Two whose bits differ; each alone takes any chunks. */
const mixed = () =>
  new EngineCore(byPhase(toyForward({ numerics: 'a' }), toyForward({ numerics: 'b' })), {
    model: 'toy', modelDigest: 'd1', blockTokens: 4, chunkTokens: 16,
  })

test('the next prompt of a chat takes no block that generated tokens filled', async () => {
  const [engine, fresh] = [mixed(), mixed()]
  const { tokens: [answer] } = await generate(engine, prompt(21), { ...drawn, maxTokens: 30 })
  const next = [...prompt(21), ...answer!, 7]
  const again = await generate(engine, next, drawn)
  expect(again.cachedTokens).toBe(16)
  expect(again.outs).toEqual((await generate(fresh, next, drawn)).outs)
  expect(engine.info.numerics).toBe('d1/prefill:a,decode:b/chunk16')
  await Promise.all([engine.close(), fresh.close()])
})
