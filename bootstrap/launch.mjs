/**
 * Runs what was asked for, here or under another Node, so that neither signals nor the death of a parent are lost on
 * the way: npm dies of a signal without passing it on to what its shell started.
 * @module
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import module from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { cache, endQuiet, isDeno, isScript } from './steps.mjs'

const POLL_MS = 250
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Who started us, and npm above it: looked at before the set-up, which either may not outlive. */
const parent = process.ppid
const npm = isScript ? parentOfShell(parent) : undefined

/** Until the returned function is called, this process ends with npm or by a signal, and what it runs quietly with it. */
export function endWithNpm() {
  const end = (signal) => {
    endQuiet()
    ignore()
    process.kill(process.pid, signal)
  }
  const onNpm = () => end('SIGTERM')
  const unwatch = watchNpm(onNpm, onNpm)
  for (const signal of SIGNALS) process.on(signal, end)
  const ignore = () => {
    unwatch()
    for (const signal of SIGNALS) process.off(signal, end)
  }
  return ignore
}

/** Where Node keeps what it made of our sources: the next process starts in half the time. Inherited by all of ours. */
function keepCompiled() {
  if (isDeno || process.env.NODE_DISABLE_COMPILE_CACHE) return
  process.env.NODE_COMPILE_CACHE ||= join(cache, 'compiled')
}

/** Runs a module in this process as if it had been started itself. */
export async function runHere(url, path, args, folder) {
  keepCompiled()
  if (!isDeno) module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
  process.chdir(folder)
  process.argv = [process.execPath, path, ...args]
  watchNpm(() => process.kill(process.pid, 'SIGTERM'), () => process.exit(1))
  await import(url)
}

/** Runs a module under `node`, with this terminal; ends as it ends. */
export function runChild(node, path, args, folder, { watchesParent }) {
  if (watchesParent) keepCompiled()
  // Our own code watches the pipe itself; tools get it watched by a module loaded before them.
  const preload = watchesParent
    ? []
    : [isDeno ? '--preload' : '--import', new URL('./with-parent.mjs', import.meta.url).href]
  const runtimeArgs = isDeno ? ['run', '--allow-all', '--quiet', ...preload] : preload
  const child = spawn(node, [...runtimeArgs, path, ...args], {
    cwd: folder,
    // Descriptor 3 is never written: that it closes tells the child that this process is gone.
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, VOLLEY_PARENT_FD: '3' },
  })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  watchNpm(() => child.kill('SIGTERM'), () => process.exit(1))
  child.once('error', (error) => {
    process.stderr.write(`Cannot run ${node}: ${error.message}\n`)
    process.exit(3)
  })
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/**
 * Under `npm run`, npm starts a shell that starts this process; `deno task` starts it itself. `onParent`: our parent
 * ended, as it does when npm is asked to stop. `onNpm`: npm itself is gone although the shell still waits, as after a
 * SIGKILL. Gives back how to stop watching.
 */
function watchNpm(onParent, onNpm) {
  if (!isScript || process.platform === 'win32') return () => {}
  const timer = setInterval(() => {
    const parentGone = process.ppid !== parent
    if (!parentGone && (npm === undefined || lives(npm))) return
    clearInterval(timer)
    if (parentGone) onParent()
    else onNpm()
  }, POLL_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** The parent of a shell, where /proc says it; undefined when the parent is no shell. */
function parentOfShell(pid) {
  try {
    const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return /^(?:da|ba|z|k|fi)?sh$/.test(name) ? Number(rest.split(' ')[1]) : undefined
  } catch {
    return undefined
  }
}

function lives(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
