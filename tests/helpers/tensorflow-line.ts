/**
 * Before the tests: one line that says whether those on native TensorFlow run, and with which library, or why not.
 * @module
 */
import process from 'node:process'
import { installedBindings, readRecord, recordFile } from '../../runtime/engine/native/record.ts'

export default function setup(): void {
  const record = readRecord()
  const [installed] = installedBindings()
  const how = record !== undefined
    ? `run with TensorFlow ${record.library} on the ${record.device} (${record.folder})`
    : installed !== undefined
      ? `run with the package in ${installed}, which no set-up has tested`
      : `are skipped: no library is recorded in ${recordFile()} (npm run setup:tensorflow brings one)`
  process.stdout.write(`tests on native TensorFlow ${how}\n`)
}
