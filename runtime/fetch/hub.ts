/**
 * The Hugging Face hub: which files a repository has, which of them make a model, and what they must hash to. Downloads
 * nothing itself.
 * @module
 */
import process from 'node:process'
import { VolleyError } from '../errors.ts'

/** A file of a repository. */
export interface HubFile {
  path: string
  bytes: number
  /** Of large files; small ones have none in the listing. */
  sha256?: string
}

/** A repository, and perhaps a file of it or a word of its name: `ORG/NAME`, `ORG/NAME:Q4_0`, `ORG/NAME/FILE.gguf`. */
export interface HubName {
  repository: string
  choice: string | undefined
}

/** Undefined when `name` is no such name. */
export function parseHubName(name: string): HubName | undefined {
  const [, repository, choice] = /^(\w[\w.-]*\/\w[\w.-]*)(?:[:/](.+))?$/.exec(name) ?? []
  return repository === undefined ? undefined : { repository, choice }
}

/** The folder's name in the cache. One choice, one folder: with several GGUF files it would not say which is meant. */
export function cacheName({ repository, choice }: HubName): string {
  return choice === undefined ? repository : `${repository}-${choice.replace(/\.gguf$/i, '').replace(/[^\w.-]/g, '-')}`
}

/** Base address, as the hub's own tools take it from `HF_ENDPOINT`. */
const base = (): string => (process.env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '')

/** Headers for everything asked of the hub. */
export function hubHeaders(): Record<string, string> {
  const token = process.env['HF_TOKEN']
  return token ? { authorization: `Bearer ${token}` } : {}
}

/** Address of a file of the main branch. */
export function hubUrl(repository: string, path: string): string {
  return `${base()}/${repository}/resolve/main/${path.split('/').map(encodeURIComponent).join('/')}`
}

/** All files of the main branch. Error: `download_failed`. */
export async function listFiles(repository: string, signal?: AbortSignal): Promise<HubFile[]> {
  const files: HubFile[] = []
  let url: string | undefined = `${base()}/api/models/${repository}/tree/main?recursive=true`
  while (url !== undefined) {
    const response: Response = await ask(url, repository, signal)
    for (const { type, path, size, lfs } of await response.json() as Listed[]) {
      // A listing decides where we write: never outside the model's folder.
      const inside = !path.startsWith('/') && !/(?:^|[/\\])\.\.(?:[/\\]|$)/.test(path)
      if (type === 'file' && inside) files.push({ path, bytes: lfs?.size ?? size, ...(lfs && { sha256: lfs.oid }) })
    }
    url = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
  }
  return files
}

interface Listed {
  type: string
  path: string
  size: number
  lfs?: { oid: string; size: number }
}

async function ask(url: string, repository: string, signal?: AbortSignal): Promise<Response> {
  const patience = AbortSignal.timeout(30_000)
  const both = signal ? AbortSignal.any([signal, patience]) : patience
  const response = await fetch(url, { headers: hubHeaders(), signal: both }).catch((cause: unknown) => {
    signal?.throwIfAborted()
    const inner = (cause as Error).cause
    const reason = inner instanceof Error ? inner.message : String(cause)
    throw new VolleyError('download_failed', `Cannot reach the hub at ${base()}: ${reason}`, {
      cause,
      remedy: 'check the network, or set HF_ENDPOINT to a mirror; models that a Python package holds need neither',
    })
  })
  if (response.ok) return response
  const denied = response.status === 401 || response.status === 403
  throw new VolleyError('download_failed', `The hub has no ${repository} for us: HTTP ${response.status}`, {
    remedy: denied ? 'check the name, or set HF_TOKEN to a token that may read it' : 'check the name: ORG/NAME',
  })
}

/** What a Hugging Face directory needs besides weights. */
const TEXT = new RegExp(
  '^(?:(?:(?:generation_|tokenizer_|preprocessor_|processor_)?config|tokenizer|special_tokens_map|added_tokens|vocab|' +
    'chat_template|model\\.safetensors\\.index)\\.json|merges\\.txt|chat_template\\.jinja|tokenizer\\.model)$',
)
const WEIGHTS = /^[^/]+\.safetensors$/

/** The files that make the model: safetensors and what belongs to them, or one GGUF. Error: `download_failed`. */
export function chooseFiles(files: readonly HubFile[], { repository, choice }: HubName): HubFile[] {
  const ggufs = files.filter(({ path }) => path.endsWith('.gguf'))
  const weights = files.filter(({ path }) => WEIGHTS.test(path))
  if (choice === undefined && weights.length > 0) return [...files.filter(({ path }) => TEXT.test(path)), ...weights]
  const word = (choice ?? '').toLowerCase()
  const exact = ggufs.filter(({ path }) => path.toLowerCase() === word)
  const fitting = exact.length > 0 ? exact : ggufs.filter(({ path }) => path.toLowerCase().includes(word))
  if (fitting.length === 1) return fitting
  const names = ggufs.map(({ path }) => path)
  const what = names.length === 0 ? 'neither safetensors nor GGUF files' : `${fitting.length} GGUF files that fit`
  throw new VolleyError('download_failed', `${repository} has ${what}${choice === undefined ? '' : ` "${choice}"`}`, {
    param: 'NAME',
    remedy: names.length === 0
      ? 'choose another repository'
      : `say which: volley pull ${repository}:WORD, of ${names.join(', ')}`,
  })
}
