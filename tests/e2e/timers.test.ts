/** States that only wait have no hop in the queue: whoever carries their timer out may die half way all the same. */
import { expect, test } from 'vitest'
import { generate } from '../../runtime/machine/generate.ts'
import type { LlmContext, LlmInput } from '../../runtime/machine/generate.ts'
import { definePipeline } from '../../runtime/machine/pipeline.ts'
import { registerPipeline } from '../../runtime/machine/registry.ts'
import { MemoryCluster, readAll, submission } from '../helpers/memory-cluster.ts'

const { states, ...parts } = generate({ then: 'done' })
for (const [name, restMs] of [['nap', 1_000], ['sleep', 3_600_000]] as const) {
  const resting = { after: { [restMs]: 'admitted' } }
  registerPipeline(definePipeline<LlmInput, LlmContext>({ name, ...parts, states: { resting, ...states }, initial: 'resting' }))
}

/** Kills an instance after its n-th word since the request rests; how it ended, and whether the blow fell. */
async function killedAt(n: number, pipeline: string): Promise<{ end: string; tokens: number; struck: boolean; left: number }> {
  let count = -Infinity
  const cluster = new MemoryCluster({
    onOperation({ client, subject }, { clock, kill }) {
      if (client.startsWith('i') && !subject.includes('volley_instances') && ++count === n) clock.setTimer(0.5, () => kill.call(cluster, client))
      return 'ok'
    },
  })
  await cluster.start()
  let result: Awaited<ReturnType<typeof readAll>> | undefined
  void cluster.front.submit(submission({ pipeline, timeoutMs: 5_000 }), new AbortController().signal)
    .then(async (open) => (result = await readAll(open.tokens)))
  await cluster.clock.advance(500)
  count = 0
  await cluster.clock.runUntil(() => result !== undefined, 60_000)
  await cluster.clock.advance(10_000)
  const left = cluster.server.hops.size + cluster.server.scheduled().length
  return { end: result === undefined ? 'hangs' : result.error?.code ?? 'done', tokens: result?.shown.length ?? 0, struck: count >= n, left }
}

test.each([['nap', 'done', 5], ['sleep', 'deadline', 0]])('%s: whenever the instance dies that carries its timer out, it ends with %s', async (pipeline, end, tokens) => {
  let struck = true
  for (let n = 1; n <= 12 && struck; n++) {
    const found = await killedAt(n, pipeline)
    struck = found.struck
    expect({ n, ...found }).toEqual({ n, end, tokens, struck, left: 0 })
  }
})
