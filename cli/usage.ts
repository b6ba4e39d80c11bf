/**
 * Help, drawn by citty from what commands say of themselves.
 * @module
 */
import { type ArgsDef, type CommandDef, defineCommand, renderUsage } from 'citty'
import { type Command, flagsOf } from './command.ts'

/** Help for one command. */
export function commandUsage(command: Command): Promise<string> {
  const args: ArgsDef = {}
  for (const { name, help, optional } of command.positionals ?? []) {
    args[name] = { type: 'positional', description: help, required: !optional }
  }
  for (const { name, hint, help } of flagsOf(command)) {
    args[name] = hint === undefined
      ? { type: 'boolean', description: help }
      : { type: 'string', description: help, valueHint: hint }
  }
  const parent = defineCommand({ meta: { name: 'volley' } })
  return renderUsage(defineCommand({ meta: { name: command.name, description: command.summary }, args }), parent)
}

/** Help for all of them: their names and what each does. */
export function programUsage(summaries: Readonly<Record<string, string>>, version: string): Promise<string> {
  const subCommands: Record<string, CommandDef> = {}
  for (const [name, description] of Object.entries(summaries)) {
    subCommands[name] = defineCommand({ meta: { name, description } })
  }
  const description = 'Serves language models with the phases of a request pulled apart'
  return renderUsage(defineCommand({ meta: { name: 'volley', version, description }, subCommands }))
}
