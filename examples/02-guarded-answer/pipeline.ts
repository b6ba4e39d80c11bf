/**
 * A pipeline of one's own: a guard looks at the prompt before anything is computed, a validator at the answer before
 * it is shown; a bad answer is generated anew, at most twice. Its phases run in the same pools as all others:
 *
 *     npm run -s volley -- serve --pipeline examples/02-guarded-answer/pipeline.ts
 *     curl localhost:8080/v1/completions -H 'content-type: application/json' \
 *       -d '{"model":"volley-tiny","prompt":"Hello","max_tokens":24,"temperature":1,"pipeline":"guarded"}'
 */
import {
  type Actor,
  defineActor,
  definePipeline,
  generate,
  type LlmContext,
  type LlmInput,
  type Pipeline,
} from '../../mod.ts'

interface GuardedContext extends LlmContext {
  tries: number
}

const parts = generate({ then: 'validate', show: false })
const MAX_TRIES = 3

const guarded = definePipeline<LlmInput, GuardedContext>({
  name: 'guarded',
  ...parts,
  context: (input) => ({ ...parts.context(input), tries: 1 }),
  guards: { ...parts.guards, mayRetry: (context) => context.tries < MAX_TRIES },
  updates: {
    ...parts.updates,
    refuse: () => ({ error: { code: 'invalid_request', message: 'The guard refuses this prompt' } }),
    // Another seed, or the same answer would come again.
    again: (context) => ({
      tries: context.tries + 1,
      sampling: { ...context.sampling, seed: (context.sampling['seed'] as number) + 1 },
    }),
  },
  initial: 'guard',
  states: {
    guard: { phase: 'guard', on: { ALLOWED: 'admitted', REFUSED: { target: 'failed', update: 'refuse' } } },
    ...parts.states,
    validate: {
      phase: 'validate',
      on: {
        VALID: 'show',
        INVALID: [{ guard: 'mayRetry', target: 'prefill', release: 'kv', update: 'again' }, { target: 'show' }],
      },
    },
    show: { phase: 'show', on: { SHOWN: 'done' } },
  },
})

const guard = defineActor<LlmContext>({
  name: 'guard',
  async run({ context, services }) {
    const prompt = services.text.decode(await services.inputs.resolve(context.prompt))
    return { type: /forbidden/i.test(prompt) ? 'REFUSED' : 'ALLOWED' }
  },
})

/** Good = it ends by itself, or within the limit with a whole sentence. */
const validate = defineActor<LlmContext>({
  name: 'validate',
  run({ context, services }) {
    const texts = context.output.map((ids) => services.text.decode(ids).trim())
    return Promise.resolve({
      type: texts.every((text) => /[.!?]$/.test(text)) ? 'VALID' : 'INVALID',
      report: { texts },
    })
  },
})

export const pipelines: Pipeline[] = [guarded]
export const actors: Actor[] = [guard, validate]
