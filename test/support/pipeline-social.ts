/** An account at the provider, of one of the two. */
export interface Identity {
  readonly subject: string;
  readonly person: string;
  readonly email: string | null;
  /** Whether the provider has seen the mailbox. */
  readonly verified: boolean;
}

export type FlowPurpose = 'LOG_IN' | 'CONNECT';

/** A way to the provider and back. */
export interface ProviderFlow<Session> {
  readonly purpose: FlowPurpose;
  /** Whose client began it. */
  readonly person: string;
  /** That asked for it, where it is to connect somebody. */
  session: Session | null;
  readonly ends: number;
  flowToken: string;
  url: string;
  /** Once a browser was there: who it was there, or null if they said no; and the code that it brought back. */
  returned: { readonly identity: Identity | null; readonly code: string } | null;
  used: boolean;
}

/** The ways to the provider, each of which lets one client come back, once. */
export class ProviderFlows<Session> {
  readonly all: ProviderFlow<Session>[] = [];
  private readonly clock: () => number;

  constructor(clock: () => number) {
    this.clock = clock;
  }

  begin(purpose: FlowPurpose, person: string, session: Session | null): ProviderFlow<Session> {
    const fresh = { flowToken: '', url: '', returned: null, used: false };
    const flow = { purpose, person, session, ends: this.clock() + 600_000, ...fresh };
    this.all.push(flow);
    return flow;
  }

  /**
   * Uses one up, for who holds its token and the code that the browser brought; where there is only a refusal to be had,
   * the token does.
   * @returns null if it is not there for them
   */
  complete(
    purpose: FlowPurpose,
    { flowToken, code }: { readonly flowToken: string; readonly code: string },
    session: Session | null,
  ): { readonly identity: Identity | null } | null {
    const flow = this.all.find((each) => each.flowToken === flowToken && each.purpose === purpose);
    if (!flow?.returned || flow.used || flow.ends <= this.clock() || flow.session !== session) return null;
    if (flow.returned.identity !== null && flow.returned.code !== code) return null;
    flow.used = true;
    return flow.returned;
  }
}

/** Somebody, as stored, with an account at the provider, or with none (null). */
export interface StoredConnection {
  readonly user_id: string;
  readonly subject: string | null;
}

/**
 * Looks at what is stored, whatever the model says of it: an account at a provider joins somebody who was there before only
 * with a session of theirs, or because they asked for it in one; and nobody has what another one had a moment ago.
 */
export class ConnectionWatch {
  private known = new Set<string>();
  private joined = new Map<string, string>();
  /** Whom an answer since the last look could have joined with an account at the provider. */
  private readonly may = new Set<string>();

  /** @param viewer the id of whose session was shown */
  note(result: { readonly __typename: string; readonly user?: unknown }, viewer: string | null): void {
    if (result.__typename === 'LoggedIn') this.may.add((result.user as { id: string }).id);
    if (result.__typename === 'ProviderConnected' && viewer !== null) this.may.add(viewer);
  }

  look(rows: readonly StoredConnection[]): void {
    const joined = new Map(rows.flatMap(({ user_id, subject }) => (subject === null ? [] : [[subject, user_id]])));
    for (const [subject, id] of joined) {
      const before = this.joined.get(subject);
      if (before === id) continue;
      if (this.known.has(id) && !this.may.has(id)) throw new Error(`${subject} joined somebody without a session`);
      if (before !== undefined && rows.some(({ user_id }) => user_id === before))
        throw new Error(`${subject} was somebody else's a moment ago`);
    }
    this.known = new Set(rows.map(({ user_id }) => user_id));
    this.joined = joined as Map<string, string>;
    this.may.clear();
  }
}
