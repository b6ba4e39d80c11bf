/**
 * The configuration of the nats-server that `volley serve` starts: loopback only, durable within a second, patient with
 * a slow reader, one account for Volley and one to look at the server itself.
 * @module
 */
import { join } from 'node:path'

/** What varies. */
export interface ServerConf {
  port: number
  /** Folder of this run: store, log and pid live here. */
  runDir: string
  /** Password of the user `system`, with which `nats top` and `nats server …` work. */
  systemPassword: string
}

/** Where things lie in a run's folder. */
export const runFiles = (runDir: string): { conf: string; log: string; pid: string; store: string } => ({
  conf: join(runDir, 'nats-server.conf'),
  log: join(runDir, 'nats-server.log'),
  pid: join(runDir, 'nats-server.pid'),
  store: join(runDir, 'jetstream'),
})

/** The file's text. JSON strings are strings of this format too. */
export function renderConf({ port, runDir, systemPassword }: ServerConf): string {
  const { log, pid, store } = runFiles(runDir)
  return `# Written by volley serve; gone when it ends.
listen: "127.0.0.1:${port}"
server_name: volley
pid_file: ${JSON.stringify(pid)}
log_file: ${JSON.stringify(log)}
logfile_size_limit: 16777216

# One fsync a second: a killed server loses nothing, a power cut at most a second.
jetstream { store_dir: ${JSON.stringify(store)}, sync_interval: "1s" }

# A reader that is busy for seconds keeps its connection.
write_deadline: "2s"
write_timeout: retry
ping_interval: "5s"
ping_max: 2

accounts {
  VOLLEY { jetstream: enabled, users: [{ user: volley, password: volley }] }
  SYSTEM { users: [{ user: system, password: ${JSON.stringify(systemPassword)} }] }
}
system_account: SYSTEM
no_auth_user: volley
`
}
