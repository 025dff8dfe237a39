import { VerifierUnavailable } from '../fetch-json.ts';
import { type Identity, unidentified } from '../identity.ts';
import { type AdapterOptions, identityOf, noteIdentity } from '../request.ts';
import type { Verifier } from '../verifier.ts';

interface Connection {
  readonly connectionParams?: Readonly<Record<string, unknown>> | undefined;
  readonly extra: { readonly socket: { close(code: number, reason: string): void } };
}

export interface ConnectionOptions extends AdapterOptions {
  /** Milliseconds after which an open connection is checked anew: 15 s, unless said otherwise. */
  readonly recheckEvery?: number;
}

const RECHECK_EVERY_MS = 15_000;
/** graphql-transport-ws: the credential is good no more. */
const FORBIDDEN = 4403;
/** IANA's registry of close codes: clients come back after a while, with the same token. */
const TRY_AGAIN_LATER = 1013;

/**
 * Options of graphql-ws's `useServer`: the credential is the `token` of `connection_init`, and resolvers find who asks
 * as `context.identity`. A connection is closed once its credential is good no more (4403), and so is one of which nobody
 * can say whether it is (1013): its client comes back, and is asked for its credential then.
 * @param options `require` takes no connection of whoever is not identified
 */
export function forGraphqlWs(verifier: Verifier, options: ConnectionOptions = {}) {
  const { require: isRequired = false, recheckEvery = RECHECK_EVERY_MS } = options;
  const timers = new WeakMap<Connection, NodeJS.Timeout>();
  const closed = new WeakSet<Connection>();

  /** Who is behind a connection; if nobody is to be, it is closed, and the answer is null. */
  async function check(connection: Connection): Promise<Identity | null> {
    const { socket } = connection.extra;
    try {
      const identity = await identify(verifier, connection.connectionParams);
      if (identity && (identity.kind === 'Identified' || !isRequired)) return identity;
      socket.close(FORBIDDEN, 'Forbidden');
    } catch (error) {
      if (!(error instanceof VerifierUnavailable)) throw error;
      socket.close(TRY_AGAIN_LATER, 'Try again later');
    }
    return null;
  }

  async function recheck(connection: Connection): Promise<void> {
    const identity = await check(connection).catch(() => unidentified('INVALID_CREDENTIAL'));
    if (!identity || closed.has(connection)) return;
    if (identity.kind === 'Identified') noteIdentity(connection, identity);
    else connection.extra.socket.close(FORBIDDEN, 'Forbidden');
  }

  return {
    async onConnect(connection: Connection): Promise<boolean> {
      const identity = await check(connection);
      if (!identity || closed.has(connection)) return false;
      noteIdentity(connection, identity);
      // Nobody stays nobody.
      if (identity.kind === 'Identified') {
        timers.set(connection, setInterval(() => recheck(connection), recheckEvery).unref());
      }
      return true;
    },
    onClose(connection: Connection): void {
      closed.add(connection);
      clearInterval(timers.get(connection));
    },
    context: (connection: Connection) => ({ identity: identityOf(connection) }),
  };
}

/** Whom `{ token }` recognises, and nothing as nobody; null for anything else. */
async function identify(verifier: Verifier, params: Connection['connectionParams']): Promise<Identity | null> {
  const { token, ...more } = params ?? {};
  if (Object.keys(more).length > 0) return null;
  if (token === undefined) return unidentified('NO_CREDENTIAL');
  return typeof token === 'string' ? verifier.verify(token) : null;
}
