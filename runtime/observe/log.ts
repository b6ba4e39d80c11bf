/**
 * Log lines: JSON on stderr, object first. Stdout belongs to answers.
 * @module
 */
import { type Logger, pino } from 'pino'

/** A logger whose lines all carry `bindings` (the process's name, say). */
export function logger({ logLevel }: { logLevel: string }, bindings: Record<string, string>): Logger {
  return pino({ level: logLevel, base: bindings, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }))
}
