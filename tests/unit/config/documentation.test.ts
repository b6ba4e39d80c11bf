import { expect, test } from 'vitest'
import { OTHER_VARIABLES, type Setting, SETTINGS, variableOf } from '../../../runtime/config/mod.ts'

const code = (text: string) => '`' + text.replaceAll('|', '\\|') + '`'

function row({ flag, hint, help, kind, default: value, defaultHelp, alsoEnv }: Setting<unknown>): string {
  const shown = defaultHelp ?? code(kind.show(value))
  const variables = [variableOf(flag), alsoEnv].filter((name) => name !== undefined).map(code).join(', ')
  return `| ${code(`--${flag} ${hint}`)} | ${variables} | ${shown} | ${help.replaceAll('|', '\\|')} |`
}

function page(): string {
  return `# Configuration

Every setting is a flag, an environment variable and a key of the config file (\`--config FILE\`: JSON, or a \`.ts\` or \`.js\`
module with a default export; keys are the flags' names, as they are or in camel case). A flag wins over the environment,
that over the file. \`volley serve --print-config\` shows each value and where it came from. Unknown flags and keys are errors
that name the nearest right one; an unknown \`VOLLEY_*\` variable is a warning.

| flag | environment | default | what it is |
|---|---|---|---|
${(Object.values(SETTINGS) as Setting<unknown>[]).map(row).join('\n')}

## Other variables

| variable | what it is |
|---|---|
${Object.entries(OTHER_VARIABLES).map(([name, help]) => `| ${code(name)} | ${help} |`).join('\n')}

This page is written from the table in \`runtime/config/settings.ts\`; \`npm test -- tests/unit/config -u\` writes it again.
`
}

test('docs/configuration.md says what the table of settings says', async () => {
  await expect(page()).toMatchFileSnapshot('../../../docs/configuration.md')
})
