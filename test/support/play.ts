import { SoftwareAuthenticator } from './authenticator.ts';
import type { Answer, GraphQLClient } from './client.ts';
import type { Gateway } from './gateway.ts';
import type { HostileProvider } from './hostile-provider.ts';
import { CURRENT_USER } from './people.ts';
import { type ModelClient, Pipeline, type PipelineSettings, type Purpose } from './pipeline.ts';
import { ConnectionWatch, type StoredConnection } from './pipeline-social.ts';

/** What stands in the way. Whoever gets one of these has changed nothing. */
const REFUSALS = new Set([
  'AlreadyEnabled',
  'ConnectionTaken',
  'InvalidCode',
  'InvalidCredentials',
  'InvalidInput',
  'InvalidToken',
  'LoginExpired',
  'LastLoginMethod',
  'NotFound',
  'EmailNotVerified',
  'MfaKept',
  'MfaNotEnabled',
  'PasskeyRejected',
  'PasswordRejected',
  'PrimaryEmailKept',
  'ProviderFailed',
  'RateLimited',
  'ReauthenticationRequired',
  'Unauthenticated',
]);

/** All that a refused call must leave as it was: all but counters, the time of last use, and what was used up. */
const STATE = `SELECT md5(concat_ws('#',
  (SELECT string_agg(concat_ws('|', id, name, username, disabled_at), ',' ORDER BY id) FROM users),
  (SELECT string_agg(concat_ws('|', id, user_id, address, is_primary, verified_at), ',' ORDER BY id) FROM emails),
  (SELECT string_agg(t::text, ',' ORDER BY user_id) FROM phones t),
  (SELECT string_agg(concat_ws('|', user_id, hash, changed_at, replace_reason), ',' ORDER BY user_id) FROM passwords),
  (SELECT string_agg(concat_ws('|', id, user_id, token_hash, methods, expires_at, ended_at, end_reason), ',' ORDER BY id)
    FROM sessions),
  (SELECT string_agg(concat_ws('|', id, user_id, email, purpose, stage, methods, password_changed_at, completed_at,
    sealed_sign_up, sealed_identity), ',' ORDER BY id)
    FROM pending_logins),
  (SELECT string_agg(concat_ws('|', id, user_id, kind, name, credential_id, data), ',' ORDER BY id) FROM authenticators),
  (SELECT string_agg(concat_ws('|', id, user_id, provider, issuer, subject, display_name, email), ',' ORDER BY id)
    FROM social_connections),
  (SELECT string_agg(t::text, ',' ORDER BY id) FROM trusted_devices t)
)) AS digest`;

/** What is done, by whom, and to which of the things there are: chosen by numbers, so that any run can be made smaller. */
export interface Choice {
  readonly what: string;
  readonly who: number;
  readonly which: number;
  readonly other: number;
  readonly pick: number;
}

export type Move = (play: Play, choice: Choice) => Promise<void>;

/** One run: the model beside the gateway. */
export class Play {
  readonly gateway: Gateway;
  readonly model: Pipeline;
  /** One of each person. The first verifies its user, the second does not. */
  readonly authenticators: Readonly<Record<string, SoftwareAuthenticator>> = {
    A: new SoftwareAuthenticator(),
    B: new SoftwareAuthenticator({ verifiesUser: false }),
  };
  /** Recovery codes that were typed. */
  readonly usedCodes: string[] = [];
  private read: number;
  /** Of the state as it was last seen; null if it may have changed since. */
  private digest: string | null = null;
  private waited = false;
  private readonly clients: readonly GraphQLClient[];
  private readonly watch = new ConnectionWatch();

  /** Where the two have accounts. */
  readonly provider: HostileProvider;

  constructor(gateway: Gateway, provider: HostileProvider, settings: PipelineSettings, run: number) {
    this.gateway = gateway;
    this.provider = provider;
    this.model = new Pipeline(settings, run, () => gateway.clock().getTime());
    this.clients = this.model.clients.map(() => gateway.client());
    this.read = gateway.mails.all.length;
  }

  /** Sends an operation as a client, with its session if it has one, and compares with what the model says. */
  async send(
    client: ModelClient,
    query: string,
    variables: Record<string, unknown>,
    expected: () => string,
  ): Promise<Answer> {
    const before = this.digest ?? (await this.readDigest());
    const bare = this.clients[client.index] as GraphQLClient;
    const answer = await (client.session ? bare.bearing(client.session.token) : bare).send(query, variables);
    const { result } = answer;
    this.watch.note(result, client.session?.account.id ?? null);
    const spent = this.model.spent;
    const due = expected();
    const called = `${/(?:mutation|query) (\w+)/.exec(query)?.[1]} by ${client.person}`;
    if (result.__typename !== due) throw new Error(`${called}: ${due} was due, ${answer.text} came`);
    // The last wrong try ends a login, as it should.
    const refused = REFUSALS.has(due) && this.model.spent === spent;
    this.digest = refused ? await this.readDigest() : null;
    if (refused && this.digest !== before) throw new Error(`${called} was refused (${due}) and changed something`);
    this.model.learn(client, answer);
    return answer;
  }

  /** Changes something behind the gateway's back. */
  async change(text: string, values: unknown[]): Promise<void> {
    await this.gateway.sql(text, values);
    this.digest = null;
  }

  /** Lets time pass. */
  wait(milliseconds: number): void {
    this.gateway.clock.advance(milliseconds);
    this.waited = true;
  }

  /** Reads the mails that came of the last call, and compares everything that can be seen with the model. */
  async settle(): Promise<void> {
    if (this.model.awaitsMail) await this.gateway.mails.rest('');
    const mails = this.gateway.mails.all.slice(this.read);
    this.read += mails.length;
    this.model.deliver(mails);
    // Where nothing has changed, there is nothing new to see.
    if (this.digest === null || this.waited) await this.compare();
    this.waited = false;
  }

  private async compare(): Promise<void> {
    const stored = await this.gateway.sql<{ row: string }>(
      `SELECT concat_ws(' ', address, is_primary, verified_at IS NOT NULL) AS row FROM emails`,
    );
    const [has, should] = [stored.map(({ row }) => row).sort(), this.model.addresses()];
    if (has.join() !== should.join()) throw new Error(`addresses are ${has.join()}, should be ${should.join()}`);
    const factors = await this.gateway.sql<{ row: string }>(
      `SELECT concat_ws(' ', coalesce(address, 'nobody'), kind) AS row
       FROM authenticators a LEFT JOIN emails e ON e.user_id = a.user_id AND is_primary`,
    );
    const [holds, shouldHold] = [factors.map(({ row }) => row).sort(), this.model.authenticators()];
    if (holds.join() !== shouldHold.join())
      throw new Error(`factors are ${holds.join()}, should be ${shouldHold.join()}`);
    const connected = await this.gateway.sql<{ row: string }>(
      `SELECT concat_ws(' ', coalesce(min(address), 'nobody'), string_agg(subject, ' ' ORDER BY subject COLLATE "C")) AS row
       FROM social_connections c LEFT JOIN emails e ON e.user_id = c.user_id AND is_primary GROUP BY c.user_id`,
    );
    const [joined, shouldJoin] = [connected.map(({ row }) => row).sort(), this.model.connections()];
    if (joined.join() !== shouldJoin.join())
      throw new Error(`connections are ${joined.join()}, should be ${shouldJoin.join()}`);
    this.watch.look(
      await this.gateway.sql<StoredConnection>(
        'SELECT users.id AS user_id, subject FROM users LEFT JOIN social_connections c ON c.user_id = users.id',
      ),
    );
    const [bare] = this.clients;
    await Promise.all(
      this.model.sessions.slice(-6).map(async (session) => {
        const { result } = await (bare as GraphQLClient).bearing(session.token).send(CURRENT_USER);
        const id = this.model.isAlive(session) ? session.account.id : null;
        if (id === null ? result.__typename !== 'Unauthenticated' : result.id !== id) {
          throw new Error(`a session should be ${id ?? 'over'}, and is ${JSON.stringify(result)}`);
        }
      }),
    );
  }

  private async readDigest(): Promise<string> {
    const [row] = await this.gateway.sql<{ digest: string }>(STATE);
    return row?.digest ?? '';
  }
}

export const pickFrom = <T>(all: readonly T[], at: number, recent = 4): T | undefined =>
  all.at(-1 - (at % Math.min(all.length || 1, recent)));
export const clientOf = ({ model }: Play, { who }: Choice) => model.clients[who % model.clients.length] as ModelClient;
export const passwordOf = (client: ModelClient, at: number) => client.passwords[at % client.passwords.length] as string;

/** Mostly a client that is signed in, if there is one. */
export function holderOf(play: Play, choice: Choice): ModelClient {
  const signedIn = play.model.clients.filter(({ session }) => session && play.model.isAlive(session));
  return choice.pick < 9 ? (pickFrom(signedIn, choice.who) ?? clientOf(play, choice)) : clientOf(play, choice);
}

/** An address: mostly one whose mailbox is theirs. */
export function addressOf({ model }: Play, client: ModelClient, at: number): string {
  const [own, all] = [model.names.filter((name) => model.reads(client, name)), model.names];
  return (at < 8 ? own[at % own.length] : all[at % all.length]) as string;
}

/** A handle or login token of somebody: mostly of their own, and one that awaits this. */
export function handleOf(
  { model }: Play,
  client: ModelClient,
  { which, pick }: Choice,
  purposes: readonly (Purpose | null | undefined)[],
): string {
  const all = model.handles.filter(({ person }) => pick === 9 || person === client.person);
  const awaiting = all.filter(({ handle }) => purposes.includes(model.awaits(handle)));
  return pickFrom(pick < 8 && awaiting.length > 0 ? awaiting : all, which)?.handle ?? `pl_${'A'.repeat(43)}`;
}

/** A code that somebody types: mostly the right one if it came to a mailbox of theirs. */
export function codeFor({ model }: Play, client: ModelClient, handle: string, { pick, other }: Choice): string {
  const readable = model.letters.filter(({ to }) => model.reads(client, to)).map(({ code }) => code);
  const right = model.codeOf(handle);
  if (pick < 7 && right && model.reads(client, right.to)) return right.code;
  return pickFrom(readable, other, 8) || 'BBBB-BBBB';
}
