/**
 * Which addresses belong to the public internet. Everything else is somebody's inside: this machine, its neighbours, a
 * cloud's metadata service.
 * Sources: IANA's special-purpose address registries for IPv4 and IPv6.
 * @module
 */
import { BlockList, isIP } from 'node:net'

const INSIDE_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  // Carrier-grade NAT.
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  // Once the way to IPv6 relays.
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  // Multicast, and all that was kept for later.
  '224.0.0.0/4',
  '240.0.0.0/4',
]

/**
 * Of IPv6 only 2000::/3 was ever given out: loopback, link-local, unique local, multicast, IPv4-mapped and NAT64
 * addresses lie outside. These lie inside and are not, or carry an IPv4 address that may be anything.
 */
const INSIDE_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

const inside = new BlockList()
for (const range of INSIDE_V4) add(range, 'ipv4')
for (const range of INSIDE_V6) add(range, 'ipv6')
const given = new BlockList()
given.addSubnet('2000::', 3, 'ipv6')

function add(range: string, family: 'ipv4' | 'ipv6'): void {
  const [network, bits] = range.split('/') as [string, string]
  inside.addSubnet(network, Number(bits), family)
}

/** True for an address that anybody can reach; false for all others and for what is no address. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !inside.check(address, 'ipv4')
  return family === 6 && given.check(address, 'ipv6') && !inside.check(address, 'ipv6')
}
