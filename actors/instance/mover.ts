import type { Bus } from '../../runtime/bus/bus.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import type { Engine } from '../../runtime/engine/engine.ts'
import { isVolleyError, VolleyError } from '../../runtime/errors.ts'
import type { Mover } from '../../runtime/pool/mover.ts'
export function busMover(bus: Bus, id: string, engine: Engine): Mover & { forget(hold: string): void } {
  const exported = new Map<string, Promise<{ bytes: Uint8Array; digest: string }>>()
  bus.subscribe(subjects.instanceOp(id, 'kv'), (m) => {
    const { hold, at } = m.json<{ hold: string; at: number }>()
    if (!exported.has(hold)) exported.set(hold, engine.exportHold(hold))
    exported.get(hold)!.then(
      ({ bytes, digest }) => m.respond(at < 0 ? JSON.stringify({ digest }) : bytes.slice(at, at + 500_000)),
      () => m.respond('{"gone":true}'),
    )
  })
  return {
    offer: (info) => ({ instance: id, hold: info.hold, bytes: info.bytes }),
    async pull(ticket, { signal }) {
      try {
        const subject = subjects.instanceOp(ticket['instance'] as string, 'kv')
        const ask = (at: number) => bus.request(subject, JSON.stringify({ ...ticket, at }), { timeoutMs: 5000, signal })
        const { digest } = (await ask(-1)).json<{ digest: string }>()
        const bytes = new Uint8Array(ticket['bytes'] as number)
        for (let at = 0; at < bytes.length; at += 500_000) bytes.set((await ask(at)).data, at)
        return { bytes, digest, mode: 'bus' }
      } catch (error) {
        if (isVolleyError(error, 'cancelled') && signal.aborted) throw error
        throw new VolleyError('transfer_failed', 'Cannot pull the KV', { cause: error })
      }
    },
    forget: (hold) => void exported.delete(hold),
  }
}
