/**
 * `/openapi.json`: the routes, with the bodies of the generating ones made from the schemas that check them.
 * @module
 */
import { z } from 'zod'
import type { HttpLimits } from './limits.ts'
import type { Route } from './route.ts'
import { chatSchema, completionSchema } from './schemas.ts'

const errorSchema = z.object({
  error: z.object({ message: z.string(), type: z.string(), code: z.string(), param: z.string().nullable() }),
})

const json = (schema: object) => ({ 'application/json': { schema } })
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })

/** The document, OpenAPI 3.1. */
export function openApi(routes: readonly Route[], limits: HttpLimits): object {
  const schema = (type: z.ZodType) => {
    const { $schema: _, ...rest } = z.toJSONSchema(type, { unrepresentable: 'any' })
    // Fields nobody knows are ignored, not refused.
    return type instanceof z.ZodObject ? { ...rest, additionalProperties: true } : rest
  }
  const bodies: Record<string, string> = {
    '/v1/chat/completions': 'ChatCompletionRequest',
    '/v1/completions': 'CompletionRequest',
  }
  const paths: Record<string, Record<string, object>> = {}
  for (const { method, path, summary } of routes) {
    const name = path.replace(/:(\w+)(\{.*?\})?/g, '{$1}')
    const parameters = [...name.matchAll(/\{(\w+)\}/g)].map(([, param]) => ({
      name: param,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }))
    const body = bodies[path]
    const entry = (paths[name] ??= {})
    entry[method.toLowerCase()] = {
      summary,
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(body === undefined ? {} : { requestBody: { required: true, content: json(ref(body)) } }),
      responses: { '200': { description: 'OK' }, default: { description: 'An error', content: json(ref('Error')) } },
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Volley', version: '1', description: 'OpenAI-compatible serving of language models' },
    paths,
    components: {
      schemas: {
        ChatCompletionRequest: schema(chatSchema(limits)),
        CompletionRequest: schema(completionSchema(limits)),
        Error: schema(errorSchema),
      },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
    security: [{}, { bearer: [] }],
  }
}
