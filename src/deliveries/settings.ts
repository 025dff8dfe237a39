import { z } from 'zod';
import { EVENT_KINDS, type EventKind } from '../events.ts';
import { parseWebhookSecret } from '../lib/webhook-signature.ts';
import { LISTENERS_ID } from './listeners.ts';

/** What an operator writes of a webhook. */
export interface WebhookEntry {
  /** By which the delivery log names it: lower-case letters, digits, hyphens. */
  readonly id: string;
  /** https; on this machine, http will do outside production. */
  readonly url: string;
  /** `whsec_` and 24 to 64 random bytes in base64; several to rotate: each signs. */
  readonly secret: string | readonly string[];
  /** The kinds of events that it is told of, or `all`. */
  readonly events: readonly EventKind[] | 'all';
}

/** A webhook that fits. */
export interface WebhookEndpoint {
  readonly id: string;
  readonly url: string;
  readonly secrets: readonly Buffer[];
  readonly kinds: readonly EventKind[];
}

const secret = z.string().transform((text, context) => {
  const parsed = parseWebhookSecret(text);
  if (parsed !== null) return parsed;
  context.addIssue({ code: 'custom', message: 'is not whsec_ and 24 to 64 bytes in base64' });
  return z.NEVER;
});

const entry = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,49}$/, 'is not made of lower-case letters, digits and hyphens')
    .refine((id) => id !== LISTENERS_ID, 'is the name of the listeners'),
  url: z
    .string()
    .refine((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol), 'is not an https URL')
    .refine((url) => !/[#\s\\]|\/\/[^/]*@/.test(url), 'has a fragment, a blank or a password'),
  secret: z.union([secret.transform((one) => [one]), z.array(secret).min(1, 'is empty').max(5, 'has more than five')]),
  events: z.union([
    z.literal('all').transform(() => EVENT_KINDS),
    z.array(z.enum(EVENT_KINDS as [EventKind, ...EventKind[]])).min(1, 'is empty'),
  ]),
});

/**
 * Reads what an operator wrote of webhooks.
 * @param options `production`: whether each needs https; else one on this machine may do without
 * @returns those that fit, and what is wrong with the others, without their values
 */
export function readWebhooks(
  entries: readonly unknown[],
  { production }: { readonly production: boolean },
): { readonly webhooks: readonly WebhookEndpoint[]; readonly problems: readonly string[] } {
  const webhooks: WebhookEndpoint[] = [];
  const problems: string[] = [];
  entries.forEach((written, index) => {
    const read = entry.safeParse(written);
    const name = nameOf(written) ?? `entry ${index + 1}`;
    if (!read.success) {
      problems.push(...read.error.issues.map((issue) => `${name}: ${describe(issue)}`));
      return;
    }
    const { id, url, secret: secrets, events } = read.data;
    if (!isPrivateOnItsWay(url, production)) problems.push(`${name}: url needs https`);
    if (webhooks.some((other) => other.id === id)) problems.push(`${name} is there twice`);
    webhooks.push({ id, url, secrets, kinds: [...new Set(events)] });
  });
  return { webhooks, problems };
}

function nameOf(written: unknown): string | null {
  const { id } = (written ?? {}) as { id?: unknown };
  return typeof id === 'string' && /^[\w-]{1,50}$/.test(id) ? id : null;
}

function describe({ path, message, code }: z.core.$ZodIssue): string {
  const where = path.join('.');
  if (code === 'unrecognized_keys') return message;
  if (path[0] === 'events') return `${where} is neither all nor a list of kinds of events`;
  return `${where} ${message}`;
}

/** Whether nobody on the way can read what is sent. What stays on one machine passes nobody. */
function isPrivateOnItsWay(url: string, production: boolean): boolean {
  if (url.startsWith('https:')) return true;
  return !production && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(new URL(url).hostname);
}
