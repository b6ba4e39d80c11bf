/**
 * A Llama-shaped decoder in double precision and plain loops, for tests: every logit of one sequence, straight from the
 * formulas. Shares no code with the engine.
 * @module
 */
import type { ModelSource } from '../../runtime/engine/load/source.ts'

type Row = number[]

/** Logits of every position, each [vocab]. */
export function naiveLogits(source: ModelSource, tokens: number[]): Row[] {
  const { config } = source
  const { hiddenSize, heads, kvHeads, headDim: dim, rmsNormEps } = config
  const cache = new Map<string, Float32Array>()
  const tensor = (name: string): Float32Array => {
    const values = cache.get(name) ?? source.read(name)
    cache.set(name, values)
    return values
  }
  const times = (name: string, x: Row): Row => {
    const weight = tensor(name)
    const bias = source.has(`${name}Bias`) ? tensor(`${name}Bias`) : undefined
    return Array.from({ length: weight.length / x.length }, (_, o) =>
      x.reduce((sum, value, i) => sum + value * (weight[o * x.length + i] as number), bias?.[o] ?? 0),
    )
  }
  const norm = (name: string, x: Row): Row => {
    const weight = tensor(name)
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + rmsNormEps)
    return x.map((value, i) => value * scale * (weight[i] as number))
  }
  const frequency = (i: number): number => {
    const f = config.ropeTheta ** ((-2 * i) / dim)
    const scaling = config.ropeScaling
    if (scaling === undefined) return f
    if (scaling.type === 'linear') return f / scaling.factor
    const wavelength = (2 * Math.PI) / f
    const context = scaling.originalContextLength
    if (wavelength < context / scaling.highFreqFactor) return f
    if (wavelength > context / scaling.lowFreqFactor) return f / scaling.factor
    const low = scaling.lowFreqFactor
    const smooth = (context / wavelength - low) / (scaling.highFreqFactor - low)
    return ((1 - smooth) * f) / scaling.factor + smooth * f
  }
  const rotate = (x: Row, position: number): Row =>
    x.map((value, i) => {
      const half = dim / 2
      const angle = position * frequency(i % half)
      const partner = i < half ? -(x[i + half] as number) : (x[i - half] as number)
      return value * Math.cos(angle) + partner * Math.sin(angle)
    })
  const headsOf = (x: Row, count: number): Row[] =>
    Array.from({ length: count }, (_, h) => x.slice(h * dim, (h + 1) * dim))

  let rows: Row[] = tokens.map((token) => [...tensor('embed').subarray(token * hiddenSize, (token + 1) * hiddenSize)])
  for (let layer = 0; layer < config.layers; layer++) {
    const at = (name: string): string => `${layer}.${name}`
    const window = config.slidingWindow[layer] ?? Infinity
    const input = rows.map((x) => norm(at('attnNorm'), x))
    const turned = (name: string, count: number): Row[][] =>
      input.map((x, position) =>
        headsOf(times(at(name), x), count).map((head) =>
          rotate(source.has(at(`${name}Norm`)) ? norm(at(`${name}Norm`), head) : head, position),
        ),
      )
    const q = turned('q', heads)
    const k = turned('k', kvHeads)
    const v = input.map((x) => headsOf(times(at('v'), x), kvHeads))
    rows = rows.map((x, position) => {
      const mixed = (q[position] as Row[]).flatMap((query, h) => {
        const kv = Math.floor(h / (heads / kvHeads))
        const first = Math.max(0, position - window + 1)
        const scores = k.slice(first, position + 1).map((keys) => {
          const key = keys[kv] as Row
          return query.reduce((sum, value, i) => sum + value * (key[i] as number), 0) / Math.sqrt(dim)
        })
        const top = Math.max(...scores)
        const weights = scores.map((score) => Math.exp(score - top))
        const total = weights.reduce((a, b) => a + b, 0)
        return query.map((_, i) =>
          weights.reduce((sum, w, j) => sum + (w / total) * (v[first + j]?.[kv]?.[i] as number), 0),
        )
      })
      const attended = times(at('o'), mixed).map((value, i) => value + (x[i] as number))
      const hidden = norm(at('ffnNorm'), attended)
      const up = times(at('up'), hidden)
      const active = times(at('gate'), hidden).map((gate, i) => (gate / (1 + Math.exp(-gate))) * (up[i] as number))
      return times(at('down'), active).map((value, i) => value + (attended[i] as number))
    })
  }
  return rows.map((x) => times(config.tiedEmbeddings ? 'embed' : 'head', norm('norm', x)))
}
