import type { ForeignPasskey } from '../lib/foreign-passkey.ts';
import type { TotpParameters } from '../lib/totp.ts';

/** Where in its source something stands. */
export interface Place {
  /** Of a file, from 1. */
  readonly line: number | null;
  /** The person's, in that system. */
  readonly id: string | null;
}

/** Why a person was not taken. */
export type Refusal =
  /** Not of the form of its system: no JSON, no id, a line that is too long. */
  | 'BROKEN'
  /** An id stood there before. */
  | 'REPEATED'
  /** Deleted there, or nobody at all, such as a guest. */
  | 'GONE'
  /** Somebody else holds every address that they come with. */
  | 'ADDRESS_TAKEN'
  /** No address, no number and no account at a provider: nobody could log in, or be told anything. */
  | 'NO_WAY_IN'
  /** Somebody else has the id already that is to be kept. */
  | 'ID_TAKEN'
  /** The database refused it. */
  | 'NOT_STORED';

/** What of a person was left behind. */
export type Loss =
  | 'EMAIL_UNFIT'
  | 'EMAIL_TAKEN'
  | 'TOO_MANY_EMAILS'
  | 'NAME_UNFIT'
  | 'USERNAME_UNFIT'
  | 'USERNAME_TAKEN'
  | 'PHONE_UNFIT'
  | 'PHONE_TAKEN'
  | 'ROLE_UNFIT'
  | 'DATE_UNFIT'
  /** Of a format that is not known. */
  | 'PASSWORD_UNKNOWN'
  /** Of parameters that would keep a machine busy. */
  | 'PASSWORD_TOO_COSTLY'
  | 'PROVIDER_UNKNOWN'
  /** A provider that knows the same person here by another id. */
  | 'PROVIDER_NOT_PORTABLE'
  | 'CONNECTION_TAKEN'
  /** From here on a second factor is missing that there was. */
  | 'TOTP_UNFIT'
  | 'TOTP_SEALED'
  | 'RECOVERY_CODES_UNFIT'
  | 'RECOVERY_CODES_SEALED'
  | 'PASSKEY_UNFIT'
  | 'PASSKEY_OF_OTHER_RP_ID'
  | 'PASSKEY_TAKEN'
  | 'FACTOR_UNKNOWN';

/** Something that is to be told of a person. `detail` is a value of theirs, never a secret. */
export interface Problem {
  readonly place: Place;
  readonly code: Refusal | Loss;
  readonly detail: string | null;
}

/** What a reader could not carry. */
export type Lost = Pick<Problem, 'detail'> & { readonly code: Loss };

export interface ForeignEmail {
  readonly address: string;
  readonly verified: boolean;
  readonly primary: boolean;
}

export interface ForeignConnection {
  /** As that system calls the provider. */
  readonly provider: string;
  readonly subject: string;
  readonly displayName: string | null;
  readonly email: string | null;
}

export interface ForeignTotp extends Omit<TotpParameters, 'digits'> {
  readonly secret: string;
  readonly digits: number;
}

/** A person as another system knows them, in one form for all systems. Nothing in it is checked. */
export interface ForeignPerson {
  readonly id: string;
  readonly name: string | null;
  readonly username: string | null;
  readonly emails: readonly ForeignEmail[];
  readonly phone: { readonly number: string; readonly verified: boolean } | null;
  /** In a form of `lib/foreign-hash.ts`; null where there is none that could ever be verified. */
  readonly password: string | null;
  readonly mustReplacePassword: boolean;
  readonly totp: readonly ForeignTotp[];
  readonly recoveryCodes: { readonly codes: readonly string[]; readonly total: number } | null;
  readonly passkeys: readonly ForeignPasskey[];
  readonly connections: readonly ForeignConnection[];
  readonly roles: readonly string[];
  readonly disabled: boolean;
  readonly createdAt: unknown;
  readonly lastLoginAt: unknown;
  readonly lost: readonly Lost[];
}

/** Somebody of whom nothing is known but an id. */
export function nobodyYet(id: string): ForeignPerson {
  return {
    id,
    name: null,
    username: null,
    emails: [],
    phone: null,
    password: null,
    mustReplacePassword: false,
    totp: [],
    recoveryCodes: null,
    passkeys: [],
    connections: [],
    roles: [],
    disabled: false,
    createdAt: null,
    lastLoginAt: null,
    lost: [],
  };
}

/** One entry of a source: a person, or what was found in the place of one. */
export type Entry =
  | { readonly place: Place; readonly person: ForeignPerson }
  | { readonly place: Place; readonly refused: Extract<Refusal, 'BROKEN' | 'GONE'>; readonly detail: string | null };

/** Something that people are read from. It is read twice: the addresses first, then the people. */
export interface Source {
  /** @throws Error with a message for the operator when it cannot be read on */
  read(): AsyncIterable<Entry>;
  close(): Promise<void>;
}
