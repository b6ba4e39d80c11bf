/**
 * Members out of a zip archive, streamed to files: wheels and release archives. Stored and deflated members only,
 * no zip64; that the bytes are the right ones is for the caller's checksum to say.
 * @module
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, open, writeFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
import { VolleyError } from '../errors.ts'

const END_OF_DIRECTORY = 0x06054b50
const ENTRY = 0x02014b50
const STORED = 0
const DEFLATED = 8

interface Member {
  name: string
  method: number
  bytes: number
  offset: number
}

/** Writes the first member that `wanted` picks to `target`; its name. Error: `download_failed`. */
export async function unzipMember(archive: string, wanted: (name: string) => boolean, target: string): Promise<string> {
  const [name] = await unzip(archive, 1, (member) => (wanted(member) ? target : undefined))
  return name!
}

/** Writes every member to which `targetOf` gives a path; their names. Error: `download_failed` where there is none. */
export async function unzipMembers(
  archive: string,
  targetOf: (name: string) => Promise<string | undefined>,
): Promise<string[]> {
  return await unzip(archive, Infinity, targetOf)
}

async function unzip(
  archive: string,
  most: number,
  targetOf: (name: string) => string | undefined | Promise<string | undefined>,
): Promise<string[]> {
  const file = await open(archive)
  try {
    const written: string[] = []
    for (const member of await directory(file, archive)) {
      if (written.length === most) break
      const target = await targetOf(member.name)
      if (target === undefined) continue
      await extract(file, archive, member, target)
      written.push(member.name)
    }
    if (written.length === 0) throw notThere(archive)
    return written
  } finally {
    await file.close()
  }
}

async function extract(file: FileHandle, archive: string, member: Member, target: string): Promise<void> {
  if (member.method !== STORED && member.method !== DEFLATED) throw notThere(archive)
  // The local header repeats the name, and its extra field may have another length than the directory's.
  const header = await read(file, member.offset, 30)
  const start = member.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  if (member.bytes === 0) return await writeFile(target, '')
  const out = createWriteStream(target)
  const packed = createReadStream(archive, { start, end: start + member.bytes - 1 })
  await (member.method === DEFLATED ? pipeline(packed, createInflateRaw(), out) : pipeline(packed, out))
}

const notThere = (archive: string): VolleyError =>
  new VolleyError('download_failed', `Cannot find the file that was wanted in ${archive}`)

async function directory(file: FileHandle, archive: string): Promise<Member[]> {
  const { size } = await file.stat()
  // The end record is 22 bytes and a comment of up to 64 KB.
  const tail = await read(file, Math.max(0, size - 65_558), Math.min(size, 65_558))
  let end = tail.length - 22
  while (end >= 0 && tail.readUInt32LE(end) !== END_OF_DIRECTORY) end--
  if (end < 0) throw new VolleyError('download_failed', `Cannot read ${archive}: it is no zip archive`)
  const entries = await read(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12))
  const members: Member[] = []
  for (let at = 0; at + 46 <= entries.length && entries.readUInt32LE(at) === ENTRY;) {
    const nameBytes = entries.readUInt16LE(at + 28)
    members.push({
      name: entries.toString('utf8', at + 46, at + 46 + nameBytes),
      method: entries.readUInt16LE(at + 10),
      bytes: entries.readUInt32LE(at + 20),
      offset: entries.readUInt32LE(at + 42),
    })
    at += 46 + nameBytes + entries.readUInt16LE(at + 30) + entries.readUInt16LE(at + 32)
  }
  return members
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  await file.read(buffer, 0, length, position)
  return buffer
}
