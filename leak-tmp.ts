import { prepareEnvironment } from './runtime/engine/native/environment.ts'
prepareEnvironment(1)
import { memorySource, randomTensors, testConfig } from './tests/helpers/source.ts'
const { tfjsForward } = await import('./runtime/engine/tfjs/decoder.ts')
const { KvPool } = await import('./runtime/kv/pool.ts')
const config = testConfig({ hiddenSize: 192, intermediateSize: 512, heads: 6, kvHeads: 2, headDim: 32, vocabSize: 97 })
const f = await tfjsForward(memorySource(config, randomTensors(config)), { backend: 'tensorflow' })
const pool = new KvPool({ layers: 2, kvDim: 64, blockTokens: 16 }, 64)
const table = Array.from({length:64},(_, i)=>i)
const tok = Array.from({length:100},(_, j)=>j%97)
for (let r=0;r<30;r++) {
  for (let i=0;i<100;i++) await f.run([{ tokens: tok.slice(0,40+i%60), start: 0, table, logits: 'last' }], pool)
  for (let i=0;i<700;i++) await f.run([{ tokens: [i%97], start: 100+i, table, logits: 'last' }], pool)
  const g = (globalThis as any).gc; if (g && process.argv[2]==='gc') { g(); g() }
  const m = process.memoryUsage(); console.log(r, 'rss', m.rss/1e6|0, 'heap', m.heapUsed/1e6|0, 'ext', m.external/1e6|0, 'ab', m.arrayBuffers/1e6|0, f.memory().tensors)
}
