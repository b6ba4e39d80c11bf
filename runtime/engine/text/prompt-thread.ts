/**
 * The thread of one long prompt: opens the model's text side, encodes, answers, ends.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { toErrorData } from '../worker/protocol.ts'
import { openText } from './mod.ts'
import { encodePrompt, type PromptAnswer, type PromptOrder } from './prompts.ts'

const { path, prompt } = workerData as PromptOrder
let answer: PromptAnswer
try {
  answer = { ids: Int32Array.from(encodePrompt(openText(path), prompt)) }
} catch (error) {
  answer = { error: toErrorData(error, 'internal') }
}
parentPort!.postMessage(answer)
