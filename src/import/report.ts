import type { Decision } from './decide.ts';
import type { Draft } from './draft.ts';
import type { Lost, Place, Problem } from './person.ts';

/** What came of an import, or would come of it. */
export interface Report {
  readonly source: string;
  readonly dryRun: boolean;
  readonly people: {
    readonly read: number;
    readonly taken: number;
    /** Taken by an earlier run; nothing of them was looked at. */
    readonly there: number;
    readonly refused: number;
  };
  /** What those have who were taken. */
  readonly carried: Readonly<Record<string, number>>;
  /** By the format of the hash. */
  readonly passwords: Readonly<Record<string, number>>;
  /** Everything that was left out, in the order of the source. */
  readonly problems: readonly Problem[];
  readonly seconds: number;
}

/** Counts while an import runs. */
export class Tally {
  readonly #people = { read: 0, taken: 0, there: 0, refused: 0 };
  readonly #carried = {
    addresses: 0,
    verifiedAddresses: 0,
    numbers: 0,
    usernames: 0,
    passwords: 0,
    apps: 0,
    passkeys: 0,
    recoveryCodes: 0,
    connections: 0,
    disabled: 0,
  };
  readonly #passwords: Record<string, number> = {};
  readonly #problems: Problem[] = [];
  readonly #since = performance.now();

  /** Notes that an entry could not be taken. */
  refuse(place: Place, code: Problem['code'], detail: string | null): void {
    this.#people.read += 1;
    this.#people.refused += 1;
    this.#problems.push({ place, code, detail });
  }

  /** Notes what became of somebody. */
  decide(place: Place, draft: Draft, decision: Decision): void {
    if (decision.kind === 'refused') this.refuse(place, decision.code, decision.detail);
    else this.#people.read += 1;
    if (decision.kind === 'there') this.#people.there += 1;
    if (decision.kind === 'taken') this.#take(place, draft, decision.person, decision.lost);
  }

  get read(): number {
    return this.#people.read;
  }

  report(source: string, dryRun: boolean): Report {
    const seconds = Math.round((performance.now() - this.#since) / 100) / 10;
    const [people, carried, passwords] = [{ ...this.#people }, { ...this.#carried }, { ...this.#passwords }];
    return { source, dryRun, people, carried, passwords, problems: [...this.#problems], seconds };
  }

  #take(
    place: Place,
    { password }: Draft,
    person: Extract<Decision, { kind: 'taken' }>['person'],
    lost: readonly Lost[],
  ): void {
    const ofKind = (wanted: string) => person.authenticators.filter(({ kind }) => kind === wanted).length;
    const carried = this.#carried;
    this.#people.taken += 1;
    carried.addresses += person.emails.length;
    carried.verifiedAddresses += person.emails.filter(({ verified }) => verified).length;
    carried.numbers += person.phone ? 1 : 0;
    carried.usernames += person.username === null ? 0 : 1;
    carried.passwords += person.password ? 1 : 0;
    carried.apps += ofKind('TOTP');
    carried.passkeys += ofKind('PASSKEY');
    carried.recoveryCodes += ofKind('RECOVERY_CODE');
    carried.connections += person.connections.length;
    carried.disabled += person.disabled ? 1 : 0;
    if (password) this.#passwords[password.format] = (this.#passwords[password.format] ?? 0) + 1;
    for (const each of lost) this.#problems.push({ place, ...each });
  }
}
