/**
 * Numbers for Prometheus, in a registry of their own: `volley_*` in base units, and the same under vLLM's names, so
 * that dashboards made for it work.
 * @module
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../../../runtime/clock.ts'
import type { FrontStats } from '../front.ts'

/** Our names -> vLLM's. */
const ALIASES: Record<string, string[]> = {
  volley_requests_running: ['vllm:num_requests_running'],
  volley_requests_waiting: ['vllm:num_requests_waiting'],
  volley_kv_cache_usage_ratio: ['vllm:kv_cache_usage_perc'],
  volley_prompt_tokens_total: ['vllm:prompt_tokens_total'],
  volley_generation_tokens_total: ['vllm:generation_tokens_total'],
  volley_requests_finished_total: ['vllm:request_success_total'],
  volley_time_to_first_token_seconds: ['vllm:time_to_first_token_seconds'],
  volley_inter_token_latency_seconds: ['vllm:inter_token_latency_seconds', 'vllm:time_per_output_token_seconds'],
  volley_time_per_output_token_seconds: ['vllm:request_time_per_output_token_seconds'],
  volley_e2e_request_latency_seconds: ['vllm:e2e_request_latency_seconds'],
}

const WAITS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
const STEPS_S = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5]

/** One generation being measured. */
export interface Measure {
  /** A step arrived, with at most so many tokens for one choice and so many in all. */
  step(perChoice: number, total: number): void
  /** `stop`, `length`, or the code of what went wrong. Only the first word counts. */
  end(reason: string): void
}

export class HttpMetrics {
  readonly contentType: string
  readonly #registry = new Registry()
  readonly #clock: Clock
  readonly #promptTokens = this.#counter('volley_prompt_tokens_total', 'Prompt tokens of admitted requests')
  readonly #generated = this.#counter('volley_generation_tokens_total', 'Tokens generated')
  readonly #finished = this.#counter('volley_requests_finished_total', 'Requests ended, by how', 'finished_reason')
  readonly #answers = new Counter({
    name: 'volley_http_responses_total',
    help: 'HTTP answers, by status',
    labelNames: ['status'],
    registers: [this.#registry],
  })
  readonly #ttft = this.#histogram('volley_time_to_first_token_seconds', 'Arrival to first token', WAITS_S)
  readonly #itl = this.#histogram('volley_inter_token_latency_seconds', 'Time between tokens of a choice', STEPS_S)
  readonly #tpot = this.#histogram('volley_time_per_output_token_seconds', 'Mean time a token after the first', STEPS_S)
  readonly #e2e = this.#histogram('volley_e2e_request_latency_seconds', 'Arrival to end', WAITS_S)

  constructor(clock: Clock, stats: () => FrontStats) {
    this.#clock = clock
    this.contentType = this.#registry.contentType
    const gauge = (name: string, help: string, read: (s: FrontStats) => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read(stats()))
        },
      })
    gauge('volley_requests_running', 'Requests in a phase', (s) => s.running)
    gauge('volley_requests_waiting', 'Requests that wait for a phase', (s) => s.waiting)
    gauge('volley_kv_cache_usage_ratio', 'KV blocks in use, 0 to 1', (s) => s.kvUsage)
    gauge('volley_instances', 'Instances that live now', (s) => s.instances)
    gauge('volley_ready', '1 when requests can be answered', (s) => (s.notReady === undefined ? 1 : 0))
  }

  answered(status: number): void {
    this.#answers.inc({ status: String(status) })
  }

  /** Begins with the arrival of a request, at monotonic `startMs`. */
  begin(model: string, promptTokens: number, startMs: number): Measure {
    const label = { model_name: model }
    this.#promptTokens.inc(label, promptTokens)
    let firstMs: number | undefined
    let lastMs = startMs
    let longest = 0
    let ended = false
    return {
      step: (perChoice, total) => {
        const now = this.#clock.monotonic()
        if (firstMs === undefined) this.#ttft.observe(label, (now - startMs) / 1000)
        else for (let i = 0; i < perChoice; i++) this.#itl.observe(label, (now - lastMs) / 1000 / perChoice)
        firstMs ??= now
        lastMs = now
        longest += perChoice
        this.#generated.inc(label, total)
      },
      end: (reason) => {
        if (ended) return
        ended = true
        this.#finished.inc({ ...label, finished_reason: reason })
        if (reason !== 'stop' && reason !== 'length') return
        this.#e2e.observe(label, (this.#clock.monotonic() - startMs) / 1000)
        if (firstMs !== undefined && longest > 1) this.#tpot.observe(label, (lastMs - firstMs) / 1000 / (longest - 1))
      },
    }
  }

  /** All of it in Prometheus' text format. */
  async text(): Promise<string> {
    const names = this.#registry.getMetricsAsArray().map(({ name }) => name)
    const parts = await Promise.all(
      names.map(async (name) => {
        const text = await this.#registry.getSingleMetricAsString(name)
        return [text, ...(ALIASES[name] ?? []).map((alias) => text.replaceAll(name, alias))].join('\n')
      }),
    )
    return parts.join('\n\n') + '\n'
  }

  #counter(name: string, help: string, ...labels: string[]) {
    return new Counter({ name, help, labelNames: ['model_name', ...labels], registers: [this.#registry] })
  }

  #histogram(name: string, help: string, buckets: number[]) {
    return new Histogram({ name, help, labelNames: ['model_name'], buckets, registers: [this.#registry] })
  }
}
