import { describe, expect, test } from 'vitest';
import { guardHooks } from '../../src/hooks/guard.ts';
import { HOOKS, type Hooks } from '../../src/hooks.ts';
import { HookFailed } from '../../src/lib/hook-failed.ts';

const told: Error[] = [];
const log = { warn: ({ err }: { readonly err: Error }) => void told.push(err) };
const guarded = (hooks: Hooks) => guardHooks(hooks, log);

const ABOUT = {
  email: 'ada@example.com',
  emailVerified: false,
  phone: null,
  username: null,
  name: null,
  provider: null,
};

describe('guardHooks', () => {
  test('adds no hook that is not there: nobody waits for what nobody decides', () => {
    expect(Object.keys(guarded({}))).toEqual([]);
    expect(Object.keys(guarded({ allowsSignUp: () => true, cleanEmail: undefined } as unknown as Hooks))).toEqual([
      'allowsSignUp',
    ]);
    for (const name of Object.keys(HOOKS)) expect(name in guarded({})).toBe(false);
  });

  test('calls a hook as a method of the object that it stands in', async () => {
    class Rules {
      readonly open = true;
      allowsSignUp() {
        return this.open;
      }
    }
    expect(await guarded(new Rules()).allowsSignUp?.(ABOUT)).toBe(true);
  });

  test('a fault of each request is not told for each request', () => {
    const { clientAddress } = guarded({ clientAddress: () => 'unknown' });
    for (let nth = 0; nth < 1_000; nth += 1) expect(clientAddress?.({ peer: '192.0.2.1', headers: {} })).toBeNull();
    expect(told.map(({ message }) => message)).toEqual(['the hook clientAddress gave no IP address']);
  });

  test('an answer that cannot be read is none', async () => {
    const answer = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('secret');
        },
      },
    );
    const asking = guarded({ newAccount: () => answer }).newAccount?.(ABOUT);
    await expect(asking).rejects.toThrow('the hook newAccount gave what cannot be read');
  });

  test('an error keeps the place where it was thrown, on one line, without what the hook was told', async () => {
    const asked = { ...ABOUT, name: 'Ada Lovelace of Ockham Park' };
    const fails = () => {
      throw new RangeError(`cannot\nreach   directory for ${asked.name} (${asked.email})`);
    };
    const error: unknown = await guarded({ allowsSignUp: fails })
      .allowsSignUp?.(asked)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HookFailed);
    const { message, stack = '' } = error as HookFailed;
    expect(message).toMatch(/^the hook allowsSignUp failed: cannot reach directory for Ada … of …/);
    expect(message).not.toContain('example');
    expect(stack).toContain('guard.test.ts');
    expect(stack).not.toMatch(/Lovelace|Ockham/);
  });
});
