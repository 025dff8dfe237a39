import { isIP } from 'node:net';

/**
 * The address that a request came from: the peer of the connection, or, behind `trustedProxies` proxies of ours, the
 * entry of X-Forwarded-For that the outermost of them wrote. Entries further left are the client's own words.
 *
 * A missing, short or unreadable header never skips a limit: the request then counts for the peer.
 * @param peer the remote address of the socket
 * @param forwardedFor the joined X-Forwarded-For header, if any
 * @param trustedProxies how many right-most hops are ours; 0 ignores the header
 */
export function clientAddress(peer: string, forwardedFor: string | undefined, trustedProxies: number): string {
  if (trustedProxies === 0 || !forwardedFor) return plain(peer);
  const hops = forwardedFor.split(',').map((hop) => hop.trim());
  const claimed = hops.at(-trustedProxies);
  return claimed && isIP(withoutPort(claimed)) ? plain(withoutPort(claimed)) : plain(peer);
}

/**
 * What a rate limit counts for: the IPv4 address, or the /64 of an IPv6 address, since one household has at least
 * that many to rotate through. Every spelling of an address gives the same key.
 */
export function addressKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const prefix = groupsOf(address).slice(0, 4);
  return `${prefix.map((group) => group.toString(16)).join(':')}::/64`;
}

/** Reads a text as one IP address, in the form that {@link clientAddress} gives; null if it is none. */
export function readAddress(text: string): string | null {
  return isIP(text) === 0 || text.includes('%') ? null : plain(text);
}

// An IPv4 client of a dual-stack socket shows as ::ffff:192.0.2.1 and is the same client as 192.0.2.1.
function plain(address: string): string {
  if (isIP(address) !== 6) return address;
  const groups = groupsOf(address);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (!mapped) return address;
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(hop);
  if (bracketed?.[1]) return bracketed[1];
  return /^\d+\.\d+\.\d+\.\d+:\d+$/.test(hop) ? hop.slice(0, hop.indexOf(':')) : hop;
}

/** The eight groups of an IPv6 address (RFC 4291 §2.2), whatever its spelling. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = parseGroups(head);
  if (tail === undefined) return left;
  const right = parseGroups(tail);
  return [...left, ...Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
}

function parseGroups(text: string): number[] {
  if (!text) return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
