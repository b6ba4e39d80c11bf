/**
 * `volley chart [PIPELINE]`: the state-chart as Mermaid.
 * @module
 */
import { pipelineOf, pipelines, toMermaid } from '../../runtime/machine/mod.ts'
import type { Command } from '../command.ts'

/** `volley chart`. */
export const chart: Command = {
  name: 'chart',
  summary: "A pipeline's state-chart as Mermaid, drawn from the chart itself",
  positionals: [{ name: 'PIPELINE', help: 'its name, or name@version (default: all there are)', optional: true }],
  async run({ positionals: [name], output }) {
    for (const pipeline of name === undefined ? pipelines() : [pipelineOf(name)]) {
      const mermaid = toMermaid(pipeline)
      output.data({ pipeline: pipeline.id, mermaid }, mermaid.trimEnd())
    }
  },
}
