import type { Answer } from './client.ts';
import type { ReadMail } from './mails.ts';
import { type Assertion, type FactorKind, HeldFactors, type ModelAnswer } from './pipeline-factors.ts';
import { type FlowPurpose, type Identity, type ProviderFlow, ProviderFlows } from './pipeline-social.ts';

/** What the pipeline is configured to ask. */
export interface PipelineSettings {
  readonly mandatory: boolean;
  /** A code is asked for after a password. */
  readonly codes: boolean;
  readonly logsInAfterReset: boolean;
  /** Everybody must have a second factor. */
  readonly enforced: boolean;
}

export type Purpose =
  | 'VERIFY_EMAIL'
  | 'CONFIRM_EMAIL'
  | 'LOGIN_CODE'
  | 'RESET_PASSWORD'
  | 'REAUTHENTICATE'
  | 'LINK_ACCOUNT';
type Stage =
  | 'linkAccount'
  | 'signUpWithProvider'
  | 'loginCode'
  | 'verifyEmail'
  | 'secondFactor'
  | 'replacePassword'
  | 'enrollFactor';
type Method = 'PASSWORD' | 'CODE' | 'LINK' | 'PASSWORD_RESET' | 'PASSKEY' | 'PROVIDER';
export type CeremonyPurpose = 'ENROLL_TOTP' | 'ENROLL_PASSKEY' | 'REAUTHENTICATE' | 'LOG_IN';

interface Account {
  id: string | null;
  emails: { address: string; verified: boolean; primary: boolean }[];
  password: string | null;
  /** Names the password; null for none. */
  version: number | null;
  marked: boolean;
  gone: boolean;
  factors: HeldFactors;
  /** The subjects of the accounts at the provider that are theirs. */
  connections: Set<string>;
  /** Whether there was ever a session. */
  entered: boolean;
}

interface Login {
  token: string;
  readonly person: string;
  purpose: 'SIGN_UP' | 'PASSWORD' | 'CODE' | 'PASSWORD_RESET' | 'PASSKEY' | 'PROVIDER';
  account: Account | null;
  email: string | null;
  readonly methods: Method[];
  version: number | null;
  stage: Stage | null;
  readonly ends: number;
  over: boolean;
  readonly password: string | null;
  /** Joins whose login it turns out to be, with the session. */
  identity: Identity | null;
  /** What an account is made from, beside or in the place of a password. */
  madeFrom: Identity | null;
  /** The account at the provider that its person was known by. */
  readonly knownBy: Identity | null;
  /** When something was last shown, and when a second factor was. */
  provenAt: number;
  mfaAt: number | null;
  factorAttempts: number;
  readonly device: Device | null;
  trusts: boolean;
  /** What a passkey is to sign, once it was told. */
  passkey: { challenge: string | null; ends: number };
}

/** A device that need not show a second factor. */
interface Device {
  readonly account: Account;
  readonly binding: string;
  readonly ends: number;
  readonly person: string;
  token: string;
  forgotten: boolean;
}

/** What is begun for a factor, and ended by an answer. */
export interface Ceremony {
  readonly purpose: CeremonyPurpose;
  readonly person: string;
  readonly account: Account | null;
  readonly login: Login | null;
  readonly session: Session | null;
  readonly passwordless: boolean;
  readonly ends: number;
  handle: string;
  secret: string;
  /** For the browser, as they came. */
  options: { readonly challenge: string } | null;
  attempts: number;
  used: boolean;
}

interface Challenge {
  readonly purpose: Purpose;
  readonly person: string;
  readonly login: Login | null;
  readonly session: Session | null;
  handle: string;
  account: Account | null;
  to: string;
  code: string;
  token: string;
  attempts: number;
  codeEnds: number;
  linkEnds: number;
  resendAt: number;
  used: boolean;
}

export interface Session {
  token: string;
  readonly account: Account;
  readonly ends: number;
  provenAt: number;
  mfaAt: number | null;
  readonly byProvider: boolean;
  over: boolean;
}

/** A browser or an app of one of the two. */
export interface ModelClient {
  readonly index: number;
  readonly person: string;
  readonly passwords: readonly string[];
  session: Session | null;
}

type Proof = { readonly token: string } | { readonly code: { readonly handle: string; readonly code: string } };
/** What a client shows that was at the provider. */
type Returned = { readonly flowToken: string; readonly code: string };
type Checked = { readonly ok: Challenge; readonly by: 'CODE' | 'LINK' } | { readonly refused: string };

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const LINKS: Readonly<Record<Purpose, number>> = {
  VERIFY_EMAIL: DAY,
  CONFIRM_EMAIL: DAY,
  LOGIN_CODE: 10 * MINUTE,
  RESET_PASSWORD: 30 * MINUTE,
  REAUTHENTICATE: 0,
  LINK_ACCOUNT: 0,
};
const AWAITED: Readonly<Record<Stage, Purpose | null>> = {
  linkAccount: 'LINK_ACCOUNT',
  signUpWithProvider: null,
  loginCode: 'LOGIN_CODE',
  verifyEmail: 'VERIFY_EMAIL',
  secondFactor: null,
  replacePassword: null,
  enrollFactor: null,
};
const PROMPTS: Readonly<Record<Stage, string>> = {
  linkAccount: 'AccountLinkRequired',
  signUpWithProvider: 'ProviderSignUpRequired',
  loginCode: 'LoginCodeRequired',
  verifyEmail: 'EmailVerificationRequired',
  secondFactor: 'MfaRequired',
  replacePassword: 'PasswordChangeRequired',
  enrollFactor: 'MfaEnrollmentRequired',
};
/** What a new password makes worthless. */
const BY_PASSWORD: readonly Purpose[] = [
  ...(['LOGIN_CODE', 'RESET_PASSWORD', 'REAUTHENTICATE', 'CONFIRM_EMAIL', 'LINK_ACCOUNT'] as const),
];

/**
 * What the gateway is to do, as a program of one thread without a database: who holds what, and what each call comes to.
 * Each method says which answer is due, and changes the model as that answer says.
 */
export class Pipeline {
  readonly settings: PipelineSettings;
  readonly clients: readonly ModelClient[];
  /** The addresses that there are: two of each. */
  readonly names: readonly string[];
  /** What the two have at the provider: also addresses that it has not seen, which are the other’s. */
  readonly identities: readonly Identity[];
  readonly accounts: Account[] = [];
  readonly sessions: Session[] = [];
  /** Every code and link that ever came, with the mailbox that it came to. */
  readonly letters: {
    readonly purpose: Purpose;
    readonly to: string;
    readonly code: string;
    readonly token: string;
  }[] = [];
  /** How often each answer was due. */
  readonly outcomes = new Map<string, number>();
  /** Handles of which nothing is left: tried too often, or right for an account that is not theirs any more. */
  spent = 0;
  private readonly logins: Login[] = [];
  private readonly challenges: Challenge[] = [];
  private readonly clock: () => number;
  private versions = 0;
  readonly ceremonies: Ceremony[] = [];
  readonly devices: Device[] = [];
  readonly flows: ProviderFlows<Session>;
  private begun: {
    login?: Login;
    session?: Session;
    challenge?: Challenge;
    renewed?: Session;
    ceremony?: Ceremony;
    device?: Device;
    flow?: ProviderFlow<Session>;
    /** Whose recovery codes the answer has. */
    codes?: HeldFactors;
  } = {};
  private outgoing: Challenge[] = [];

  constructor(settings: PipelineSettings, run: number, clock: () => number) {
    this.settings = settings;
    this.clock = clock;
    this.flows = new ProviderFlows(clock);
    this.names = ['a1', 'b1', 'a2', 'b2'].map((name) => `${name}.${run}@example.com`);
    const [a1 = '', b1 = '', a2 = '', b2 = ''] = this.names;
    this.identities = [
      { subject: `a-seen.${run}`, person: 'A', email: a1, verified: true },
      { subject: `b-seen.${run}`, person: 'B', email: b1, verified: true },
      { subject: `a-claims.${run}`, person: 'A', email: b1, verified: false },
      { subject: `b-claims.${run}`, person: 'B', email: a2, verified: false },
      { subject: `a-silent.${run}`, person: 'A', email: null, verified: false },
      { subject: `b-other.${run}`, person: 'B', email: b2, verified: true },
    ];
    this.clients = [0, 1, 2, 3].map((index) => {
      const person = index % 2 === 0 ? 'A' : 'B';
      const passwords = [1, 2].map((n) => `the ${n === 1 ? 'first' : 'second'} ladder of ${person} in the library`);
      return { index, person, passwords, session: null };
    });
  }

  /** Whether a mail is due. */
  get awaitsMail(): boolean {
    return this.outgoing.length > 0;
  }

  /** Every handle and login token, with who was given it, the newest last. */
  get handles(): { handle: string; person: string }[] {
    return [
      ...this.challenges.filter(({ handle }) => handle).map(({ handle, person }) => ({ handle, person })),
      ...this.logins.filter(({ token }) => token).map(({ token, person }) => ({ handle: token, person })),
      ...this.ceremonies.filter(({ handle }) => handle).map(({ handle, person }) => ({ handle, person })),
    ];
  }

  /** Whether somebody gets the mail to an address. */
  reads({ person }: ModelClient, address: string): boolean {
    return address.startsWith(person.toLowerCase());
  }

  /** The code that a handle awaits, if it awaits one. */
  codeOf(handle: string): { to: string; code: string } | null {
    const login = this.logins.find(({ token }) => token === handle);
    const purpose = login?.stage ? AWAITED[login.stage] : null;
    const challenge = login
      ? this.challenges.find((each) => each.login === login && each.purpose === purpose)
      : this.challenges.find((each) => each.handle === handle);
    return challenge?.code ? challenge : null;
  }

  /** What a handle is good for now: a code of this purpose, or null for another password. */
  awaits(handle: string): Purpose | null | undefined {
    const login = this.logins.find(({ token }) => token === handle);
    if (login) return this.isOpen(login) && login.stage ? AWAITED[login.stage] : undefined;
    const challenge = this.challenges.find((each) => each.handle === handle);
    return challenge && !challenge.used && challenge.codeEnds > this.clock() ? challenge.purpose : undefined;
  }

  /** Where an open login stands now: at a stage, or at none (null). */
  standsAt(token: string): {
    readonly stage: Stage | null;
    readonly account: Account | null;
    /** Which it is about to be linked with. */
    readonly links: Account | null;
    readonly challenge: string;
  } | null {
    const login = this.logins.find((each) => each.token === token);
    if (!login || !this.isOpen(login)) return null;
    const { account, passkey } = login;
    return {
      stage: this.stageOf(login),
      account,
      links: this.accountToLink(login),
      challenge: passkey.challenge ?? '',
    };
  }

  /** A ceremony that can still be ended, the newest of this purpose. */
  ceremonyOf({ person }: ModelClient, purpose: CeremonyPurpose): Ceremony | undefined {
    return this.ceremonies.findLast(
      (each) => each.person === person && each.purpose === purpose && !each.used && each.ends > this.clock(),
    );
  }

  holderOf(address: string): Account | null {
    const holds = (account: Account) =>
      account.emails.some((email) => email.address === address && (email.verified || email.primary));
    return this.accounts.find((account) => !account.gone && holds(account)) ?? null;
  }

  /** Whose account an address names to somebody without its password: once it has proven one, only those it has proven. */
  private namedBy(address: string): Account | null {
    const holder = this.holderOf(address);
    const verified = holder?.emails.some((email) => email.address === address && email.verified);
    return verified || !holder?.emails.some((email) => email.verified) ? holder : null;
  }

  isAlive({ over, ends, account }: Session): boolean {
    return !over && !account.gone && ends > this.clock();
  }

  /** Every address that is stored, as it is stored. */
  addresses(): string[] {
    return this.accounts
      .filter(({ gone }) => !gone)
      .flatMap(({ emails }) =>
        emails.map(({ address, verified, primary }) => `${address} ${flag(primary)} ${flag(verified)}`),
      )
      .sort();
  }

  /** Every further factor that is stored, as it is stored. */
  authenticators(): string[] {
    const rows = this.accounts.map(({ gone, emails, factors }) => {
      const address = emails.find(({ primary }) => primary)?.address ?? 'nobody';
      return gone ? [] : factors.kinds.map((kind) => `${address} ${kind}`);
    });
    return rows.flat().sort();
  }

  // ── what a client may send ──

  signUp(client: ModelClient, email: string, password: string): string {
    this.release(email);
    if (this.holderOf(email)) {
      if (!this.settings.mandatory) return this.is('InvalidInput');
      return this.begin(client, { purpose: 'SIGN_UP', account: null, email, methods: ['PASSWORD'], password });
    }
    const account = this.make(email, password);
    if (!this.settings.mandatory) this.issue(client, 'VERIFY_EMAIL', account, email);
    return this.begin(client, { purpose: 'SIGN_UP', account, email, methods: ['PASSWORD'], password });
  }

  logInWithPassword(client: ModelClient, email: string, password: string, deviceToken: string | null = null): string {
    const account = this.holderOf(email);
    if (!account || account.password !== password) return this.is('InvalidCredentials');
    const device = this.devices.find(({ token }) => token !== '' && token === deviceToken) ?? null;
    return this.begin(client, { purpose: 'PASSWORD', account, email, methods: ['PASSWORD'], device });
  }

  requestLoginCode(client: ModelClient, email: string): string {
    return this.begin(client, { purpose: 'CODE', account: this.namedBy(email), email, methods: [] });
  }

  logInWithCode(client: ModelClient, proof: Proof): string {
    const checked = this.check(proof, ['LOGIN_CODE']);
    if ('refused' in checked) return this.is(checked.refused);
    const { ok: challenge, by } = checked;
    const { login, account } = challenge;
    if (!login || !this.isOpen(login)) return this.is('LoginExpired');
    challenge.used = true;
    if (by === 'CODE' && login.purpose !== 'CODE') {
      // The password was shown beside it, so nothing of the account goes.
      if (account) this.verify(account, challenge.to);
      login.methods.push('CODE');
      login.provenAt = this.clock();
      return this.resume(client, login);
    }
    login.over = true;
    let version = login.version;
    // A link may be opened by somebody else than who showed the password, so it stands for itself.
    if ((login.purpose === 'CODE' || by === 'LINK') && account) {
      const proven = this.reclaim(account, challenge.to);
      if (proven === null) {
        // The code was right, and used; the account has become somebody else's meanwhile, so the login is over.
        this.spent += 1;
        return this.is('LoginExpired');
      }
      if (proven === 'reclaimed') version = null;
    }
    const methods = by === 'LINK' ? [by] : [...login.methods, by];
    const { purpose, account: owner, email, password } = login;
    return this.begin(client, { purpose, account: owner, email, password, methods, version }, 'LoginExpired');
  }

  verifyEmail(client: ModelClient, proof: Proof, loginToken: string | null): string {
    const checked = this.check(proof, ['VERIFY_EMAIL', 'CONFIRM_EMAIL']);
    if ('refused' in checked) return this.is(checked.refused);
    const { ok: challenge, by } = checked;
    challenge.used = true;
    const { account } = challenge;
    if (by === 'LINK' && account && account.connections.size > 0)
      throw new Error(`a link of ${challenge.purpose} verifies an address for whoever came from a provider`);
    if (!challenge.account || this.verify(challenge.account, challenge.to) === null) return this.is('InvalidToken');
    const named = this.logins.find(({ token }) => token === loginToken);
    const carried = by === 'CODE' ? challenge.login : named;
    if (!carried || !this.isOpen(carried) || carried.account !== challenge.account) return this.is('EmailVerified');
    return this.resume(client, carried);
  }

  continueLogin(client: ModelClient, token: string): string {
    const login = this.logins.find((each) => each.token === token);
    return login && this.isOpen(login) ? this.resume(client, login) : this.is('LoginExpired');
  }

  pendingLogin(token: string): string {
    const login = this.logins.find((each) => each.token === token);
    if (!login || !this.isOpen(login)) return this.is('LoginExpired');
    const stage = this.stageOf(login);
    return this.is(stage ? PROMPTS[stage] : 'LoginReady');
  }

  resendCode(handle: string): string {
    const found = this.find(handle, null);
    if (typeof found === 'string') return this.is('InvalidToken');
    if (found.resendAt > this.clock()) return this.is('RateLimited');
    this.send(found);
    return this.is('CodeSent');
  }

  changePendingEmail(token: string, email: string): string {
    const login = this.logins.find((each) => each.token === token);
    if (!login || !this.isOpen(login) || login.stage !== 'verifyEmail') return this.is('LoginExpired');
    const challenge = this.challenges.find((each) => each.login === login && each.purpose === 'VERIFY_EMAIL');
    if (!challenge || challenge.used || challenge.attempts >= 5) return this.is('LoginExpired');
    const own = login.account?.emails.find(({ address }) => address === email);
    if (own?.verified) return this.is('LoginExpired');
    if (login.email !== email) {
      const owner = this.give(login, email);
      login.email = email;
      challenge.to = email;
      challenge.account = owner;
      this.send(challenge);
    }
    return this.is(this.stageOf(login) === 'verifyEmail' ? 'EmailVerificationRequired' : 'LoginExpired');
  }

  requestPasswordReset(client: ModelClient, email: string): string {
    const account = this.namedBy(email);
    if (account) this.voidAll(account, ['RESET_PASSWORD']);
    this.begun.challenge = this.issue(client, 'RESET_PASSWORD', account, email);
    return this.is('CodeSent');
  }

  resetPassword(client: ModelClient, proof: Proof, password: string): string {
    const checked = this.check(proof, ['RESET_PASSWORD']);
    if ('refused' in checked) return this.is(checked.refused === 'LoginExpired' ? 'InvalidToken' : checked.refused);
    const { ok: challenge } = checked;
    const { account } = challenge;
    if (account && this.isRuledOut(account, password)) return this.is('PasswordRejected');
    challenge.used = true;
    if (!account || this.reclaim(account, challenge.to) === null) return this.is('InvalidToken');
    this.setPassword(account, password);
    account.connections.clear();
    if (!this.settings.logsInAfterReset) return this.is('PasswordWasReset');
    return this.begin(client, { purpose: 'PASSWORD_RESET', account, email: null, methods: ['PASSWORD_RESET'] });
  }

  replacePassword(client: ModelClient, token: string, password: string): string {
    const login = this.logins.find((each) => each.token === token);
    const account = login?.account;
    if (!login || !account || !this.isOpen(login) || login.stage !== 'replacePassword') return this.is('LoginExpired');
    if (account.password === null) return this.is('LoginExpired');
    if (account.password === password) return this.is('PasswordRejected');
    if (account.version !== login.version) return this.is('LoginExpired');
    this.setPassword(account, password, { login });
    login.version = account.version;
    return this.resume(client, login);
  }

  changePassword(client: ModelClient, current: string | null, password: string): string {
    const session = this.fresh(client);
    if (typeof session === 'string') return this.is(session);
    const { account } = session;
    if (current !== account.password) return this.is('InvalidCredentials');
    if (this.isRuledOut(account, password)) return this.is('PasswordRejected');
    this.setPassword(account, password, { session });
    session.over = true;
    this.begun.renewed = session;
    return this.is('PasswordChanged');
  }

  beginReauthentication(client: ModelClient): string {
    const session = this.alive(client);
    if (!session) return this.is('Unauthenticated');
    const to = session.account.emails.find(({ primary }) => primary)?.address;
    if (session.account.password !== null || !to) return this.is('InvalidInput');
    this.begun.challenge = this.issue(client, 'REAUTHENTICATE', session.account, to, { session });
    return this.is('ReauthenticationStarted');
  }

  reauthenticate(
    client: ModelClient,
    input: { password: string } | { emailCode: { handle: string; code: string } },
  ): string {
    const session = this.alive(client);
    if (!session) return this.is('Unauthenticated');
    if ('password' in input) {
      if (session.account.password !== input.password) return this.is('InvalidCredentials');
    } else {
      const checked = this.check({ code: input.emailCode }, ['REAUTHENTICATE']);
      if ('refused' in checked) return this.is(checked.refused === 'LoginExpired' ? 'InvalidToken' : checked.refused);
      if (checked.ok.session !== session) return this.is('InvalidToken');
      checked.ok.used = true;
    }
    session.provenAt = this.clock();
    return this.is('Reauthenticated');
  }

  // ── further factors ──

  beginEnrollment(client: ModelClient, purpose: 'ENROLL_TOTP' | 'ENROLL_PASSKEY', loginToken: string | null): string {
    const started = purpose === 'ENROLL_TOTP' ? 'TotpStarted' : 'PasskeyStarted';
    const has = (account: Account) => purpose === 'ENROLL_TOTP' && account.factors.totp !== null;
    if (loginToken !== null) {
      const login = this.logins.find(({ token }) => token === loginToken);
      const { account } = login ?? {};
      if (!login || !account || !this.isOpen(login) || this.stageOf(login) !== 'enrollFactor')
        return this.is('LoginExpired');
      if (has(account)) return this.is('AlreadyEnabled');
      this.beginCeremony(client, purpose, account, { login, passwordless: account.password === null });
      return this.is(started);
    }
    const session = this.freshByFactor(client);
    if (typeof session === 'string') return this.is(session);
    const { account } = session;
    if (!account.emails.some(({ verified }) => verified)) return this.is('EmailNotVerified');
    if (has(account)) return this.is('AlreadyEnabled');
    this.beginCeremony(client, purpose, account, { session });
    return this.is(started);
  }

  confirmTotp(client: ModelClient, handle: string, code: string): string {
    const ceremony = this.findEnrollment(client, handle, 'ENROLL_TOTP');
    if (!ceremony?.account) return this.is('InvalidToken');
    const { factors } = ceremony.account;
    if (factors.totp) return this.is('AlreadyEnabled');
    const step = HeldFactors.stepOf(ceremony.secret, code, this.clock());
    if (step === null) return this.is('InvalidCode');
    if (!this.isStillAsked(ceremony)) return this.is('InvalidToken');
    this.enroll(client, ceremony, () => factors.addTotp(ceremony.secret, client.person, step * 30_000));
    return this.is('TotpEnabled');
  }

  confirmPasskey(client: ModelClient, handle: string, { credentialId, challenge, verified }: Assertion): string {
    const ceremony = this.findEnrollment(client, handle, 'ENROLL_PASSKEY');
    if (!ceremony?.account) return this.is('InvalidToken');
    const { account, options, passwordless } = ceremony;
    if (challenge !== options?.challenge || (passwordless && !verified)) return this.is('PasskeyRejected');
    if (!this.isStillAsked(ceremony)) return this.is('InvalidToken');
    this.enroll(client, ceremony, () => account.factors.addPasskey(credentialId, verified));
    return this.is('PasskeyAdded');
  }

  verifyMfa(client: ModelClient, token: string, answer: ModelAnswer, trustDevice: boolean): string {
    const login = this.logins.find((each) => each.token === token);
    if (!login?.account || !this.isOpen(login) || login.stage !== 'secondFactor') return this.is('LoginExpired');
    login.factorAttempts += 1;
    const now = this.clock();
    const challenge = login.passkey.ends > now ? login.passkey.challenge : null;
    const verifies = login.methods.every((method) => method === 'PASSKEY');
    if (!login.account.factors.take(answer, now, { challenge, verifies })) {
      if (login.factorAttempts >= 5) {
        login.over = true;
        this.spent += 1;
      }
      return this.is('InvalidCode');
    }
    login.provenAt = now;
    login.mfaAt = now;
    login.trusts ||= trustDevice;
    return this.resume(client, login);
  }

  beginPasskeyLogin(client: ModelClient): string {
    this.beginCeremony(client, 'LOG_IN', null, {});
    return this.is('PasskeyLoginStarted');
  }

  logInWithPasskey(client: ModelClient, handle: string, assertion: Assertion): string {
    const ceremony = this.countCeremony(handle, 'LOG_IN');
    if (!ceremony) return this.is('LoginExpired');
    const { credentialId, verified } = assertion;
    const account = this.accounts.find(
      ({ gone, factors }) => !gone && factors.passkeys.some((each) => each.credentialId === credentialId),
    );
    const now = this.clock();
    const question = { challenge: ceremony.options?.challenge ?? null, verifies: false };
    if (!account?.factors.take({ passkey: assertion }, now, question)) return this.is('InvalidCredentials');
    ceremony.used = true;
    const passkey = account.factors.passkeys.find((each) => each.credentialId === credentialId);
    const mfaAt = verified && passkey?.verifies ? now : null;
    return this.begin(client, { purpose: 'PASSKEY', account, email: null, methods: ['PASSKEY'], mfaAt });
  }

  beginReauthenticationByPasskey(client: ModelClient): string {
    const session = this.alive(client);
    if (!session) return this.is('Unauthenticated');
    if (session.account.factors.passkeys.length === 0) return this.is('InvalidInput');
    this.beginCeremony(client, 'REAUTHENTICATE', session.account, { session });
    return this.is('ReauthenticationStarted');
  }

  /** @param handle of the challenge, for a passkey */
  reauthenticateByFactor(client: ModelClient, answer: ModelAnswer, handle: string | null): string {
    const session = this.alive(client);
    if (!session) return this.is('Unauthenticated');
    const { factors } = session.account;
    const kind = 'totp' in answer ? 'TOTP' : 'passkey' in answer ? 'PASSKEY' : 'RECOVERY_CODE';
    if (!factors.kinds.includes(kind)) return this.is('InvalidCredentials');
    const ceremony = handle === null ? null : this.countCeremony(handle, 'REAUTHENTICATE');
    if (handle !== null && ceremony?.session !== session) return this.is('InvalidToken');
    const question = { challenge: ceremony?.options?.challenge ?? null, verifies: false };
    const now = this.clock();
    if (!factors.take(answer, now, question)) return this.is('InvalidCode');
    if (ceremony) ceremony.used = true;
    session.provenAt = now;
    session.mfaAt = now;
    return this.is('Reauthenticated');
  }

  /** @param own a factor of the viewer's; null if the id is of somebody else's or of none */
  removeAuthenticator(client: ModelClient, own: { kind: FactorKind; credentialId: string | null } | null): string {
    const session = this.freshByFactor(client);
    if (typeof session === 'string') return this.is(session);
    if (!own) return this.is('NotFound');
    const { account } = session;
    if (this.settings.enforced && account.factors.isLast(own.kind)) return this.is('MfaKept');
    if (!this.canGoWithout(account, { passkey: own.credentialId })) return this.is('LastLoginMethod');
    account.factors.remove(own.kind, own.credentialId);
    this.endAll(account, { session });
    return this.is('AuthenticatorRemoved');
  }

  generateRecoveryCodes(client: ModelClient): string {
    const session = this.freshByFactor(client);
    if (typeof session === 'string') return this.is(session);
    const { factors } = session.account;
    if (!factors.protects) return this.is('MfaNotEnabled');
    factors.giveCodes(client.person);
    this.begun.codes = factors;
    return this.is('RecoveryCodesGenerated');
  }

  forgetTrustedDevices(client: ModelClient): string {
    const session = this.fresh(client);
    if (typeof session === 'string') return this.is(session);
    for (const device of this.devices) if (device.account === session.account) device.forgotten = true;
    return this.is('TrustedDevicesForgotten');
  }

  // ── accounts at a provider ──

  /** What beginning comes to. */
  beginAtProvider(client: ModelClient, purpose: FlowPurpose): string {
    const session = purpose === 'CONNECT' ? this.fresh(client) : null;
    if (typeof session === 'string') return this.is(session);
    this.begun.flow = this.flows.begin(purpose, client.person, session);
    return this.is('ProviderRedirect');
  }

  completeProviderLogin(client: ModelClient, shown: Returned): string {
    const came = this.flows.complete('LOG_IN', shown, null);
    if (!came) return this.is('LoginExpired');
    const { identity } = came;
    if (!identity) return this.is('ProviderFailed');
    const { email } = identity;
    const account = this.connectedTo(identity);
    if (account)
      return this.begin(client, {
        purpose: 'PROVIDER',
        account,
        email: null,
        methods: ['PROVIDER'],
        knownBy: identity,
      });
    if (this.addressUse(identity) !== 'free')
      return this.begin(client, { purpose: 'PROVIDER', account: null, email: null, methods: ['PROVIDER'], identity });
    const made = this.signUpFrom(identity, email ?? '');
    if (made === 'taken') throw new Error('an address that was free is taken');
    const joins = made?.connections.has(identity.subject) ? null : identity;
    const login = { purpose: 'SIGN_UP', account: made, email, identity: joins, madeFrom: identity } as const;
    return this.begin(client, { ...login, methods: ['PROVIDER'] });
  }

  completeProviderSignUp(client: ModelClient, token: string, typed: string | null): string {
    const login = this.logins.find((each) => each.token === token);
    const stage = login && this.isOpen(login) ? this.stageOf(login) : null;
    if (login && stage === 'linkAccount') return this.resume(client, login);
    if (!login?.identity || stage !== 'signUpWithProvider') return this.is('LoginExpired');
    const { identity } = login;
    // It has become somebody's meanwhile.
    if (this.connectedTo(identity)) return this.is('LoginExpired');
    const email = typed ?? (this.addressUse(identity) === 'free' ? identity.email : null);
    if (email === null) return this.is('InvalidInput');
    const made = this.signUpFrom(identity, email);
    if (made === 'taken') return this.is('InvalidInput');
    const joins = made?.connections.has(identity.subject) ? null : identity;
    Object.assign(login, { purpose: 'SIGN_UP', account: made, email, madeFrom: identity, identity: joins });
    return this.resume(client, login);
  }

  linkAccountByPassword(client: ModelClient, token: string, password: string): string {
    const login = this.logins.find((each) => each.token === token);
    const account = login && this.isOpen(login) ? this.accountToLink(login) : null;
    if (!login || !account) return this.is('LoginExpired');
    if (this.settings.codes || account.password !== password) return this.is('InvalidCredentials');
    return this.link(client, login, account, 'PASSWORD');
  }

  linkAccountByCode(client: ModelClient, token: string, code: string): string {
    const checked = this.check({ code: { handle: token, code } }, ['LINK_ACCOUNT']);
    if ('refused' in checked) return this.is(checked.refused === 'InvalidToken' ? 'LoginExpired' : checked.refused);
    const { ok: challenge } = checked;
    challenge.used = true;
    const { login, account } = challenge;
    if (!login || !account || this.accountToLink(login) !== account) return this.is('LoginExpired');
    return this.link(client, login, account, 'CODE');
  }

  completeConnection(client: ModelClient, shown: Returned): string {
    const session = this.alive(client);
    if (!session) return this.is('Unauthenticated');
    const came = this.flows.complete('CONNECT', shown, session);
    if (!came) return this.is('InvalidToken');
    if (!came.identity) return this.is('ProviderFailed');
    return this.is(this.join(session.account, came.identity) ? 'ProviderConnected' : 'ConnectionTaken');
  }

  disconnectProvider(client: ModelClient, identity: Identity): string {
    const session = this.fresh(client);
    if (typeof session === 'string') return this.is(session);
    const { account } = session;
    const { subject } = identity;
    if (!account.connections.has(subject)) return this.is('NotFound');
    if (!this.canGoWithout(account, { connection: subject })) return this.is('LastLoginMethod');
    account.connections.delete(subject);
    for (const each of this.logins) if (each.account === account) each.over = true;
    for (const each of this.sessions)
      if (each.account === account && each.byProvider && each !== session) each.over = true;
    return this.is('ProviderDisconnected');
  }

  /** The accounts at the provider, by whose they are. */
  connections(): string[] {
    return this.accounts
      .filter(({ gone, connections }) => !gone && connections.size > 0)
      .map(({ emails, connections }) =>
        [emails.find(({ primary }) => primary)?.address ?? 'nobody', ...[...connections].sort()].join(' '),
      )
      .sort();
  }

  private connectedTo({ subject }: Identity): Account | null {
    return this.accounts.find(({ gone, connections }) => !gone && connections.has(subject)) ?? null;
  }

  /** What can be done with the address of somebody whom nobody knows yet. */
  private addressUse({ email, verified }: Identity): 'none' | 'free' | 'taken' | 'link' {
    if (email === null) return 'none';
    if (!verified && this.settings.mandatory) return 'free';
    const holder = this.holderOf(email);
    if (!holder) return 'free';
    const proven = holder.emails.some((own) => own.address === email && own.verified);
    if (!proven) return this.settings.mandatory ? 'free' : 'taken';
    return verified ? 'link' : 'taken';
  }

  /** Null for an account that only looks like one, so that nobody learns whose the address is. */
  private signUpFrom(identity: Identity, email: string): Account | null | 'taken' {
    const seen = identity.verified && identity.email === email;
    if (seen && this.addressUse(identity) !== 'free') return 'taken';
    if (!seen) {
      this.removeAbandoned(email);
      this.release(email);
      if (this.holderOf(email)) return this.settings.mandatory ? null : 'taken';
    }
    const account = this.make(email, null);
    if (!seen) return account;
    account.connections.add(identity.subject);
    for (const own of account.emails) own.primary = false;
    this.verify(account, email);
    return account;
  }

  private accountToLink(login: Login): Account | null {
    const { identity, purpose, account } = login;
    if (purpose !== 'PROVIDER' || account || !identity || this.addressUse(identity) !== 'link') return null;
    return this.holderOf(identity.email ?? '');
  }

  private link(client: ModelClient, login: Login, account: Account, method: 'PASSWORD' | 'CODE'): string {
    login.account = account;
    login.version = account.version;
    login.email = login.identity?.email ?? null;
    login.methods.push(method);
    login.provenAt = this.clock();
    return this.resume(client, login);
  }

  private join(account: Account, identity: Identity): boolean {
    const holder = this.connectedTo(identity);
    if (holder) return holder === account;
    account.connections.add(identity.subject);
    // A link that is on its way would add an address for whoever is connected, by one press of its reader.
    this.voidAll(account, ['VERIFY_EMAIL', 'CONFIRM_EMAIL']);
    return true;
  }

  /** An account that nobody can get into goes, for whoever comes from the provider with its address next. */
  private removeAbandoned(address: string): void {
    const holder = this.holderOf(address);
    if (!holder || holder.entered || holder.password !== null || holder.connections.size > 0) return;
    if (holder.factors.kinds.length > 0 || holder.emails.some(({ verified }) => verified)) return;
    const logins = this.logins.filter(({ account }) => account === holder);
    if (logins.some((login) => this.isOpen(login) && !login.identity)) return;
    for (const login of logins) login.over = true;
    for (const each of this.challenges) if (each.account === holder) each.used = true;
    holder.gone = true;
  }

  private canGoWithout(
    account: Account,
    { passkey = null, connection = null }: { passkey?: string | null; connection?: string | null },
  ): boolean {
    const primary = account.emails.find((own) => own.primary);
    const reached = primary !== undefined && (account.password !== null || primary.verified);
    const signs = account.factors.passkeys.some((each) => each.verifies && each.credentialId !== passkey);
    return reached || signs || [...account.connections].some((subject) => subject !== connection);
  }

  // ── the account ──

  addEmail(client: ModelClient, address: string): string {
    const session = this.fresh(client);
    if (typeof session === 'string') return this.is(session);
    const { emails } = session.account;
    const known = emails.find((email) => email.address === address);
    if (known?.verified) return this.is('InvalidInput');
    if (!known) emails.push({ address, verified: false, primary: false });
    return this.sendVerification(client, session, address);
  }

  /** @param own an address of the viewer's; null if the id is of somebody else's or of none */
  sendEmailVerification(client: ModelClient, own: string | null): string {
    const session = this.alive(client);
    if (!session) return this.is('Unauthenticated');
    const email = session.account.emails.find(({ address }) => address === own);
    if (!email || email.verified) return this.is('NotFound');
    const purpose = email.primary ? 'VERIFY_EMAIL' : 'CONFIRM_EMAIL';
    const earlier = this.challenges.filter(
      (each) => each.purpose === purpose && each.to === own && this.isOf(each, session.account),
    );
    if (earlier.some(({ resendAt }) => resendAt > this.clock())) return this.is('RateLimited');
    return this.sendVerification(client, session, email.address);
  }

  setPrimaryEmail(client: ModelClient, own: string | null): string {
    const session = this.fresh(client);
    if (typeof session === 'string') return this.is(session);
    const { emails } = session.account;
    const email = emails.find(({ address }) => address === own);
    if (!email) return this.is('NotFound');
    if (email.primary) return this.is('EmailsChanged');
    if (!email.verified) return this.is('EmailNotVerified');
    for (const each of emails) each.primary = each === email;
    this.voidAll(session.account, ['RESET_PASSWORD', 'LOGIN_CODE']);
    return this.is('EmailsChanged');
  }

  removeEmail(client: ModelClient, own: string | null): string {
    const session = this.fresh(client);
    if (typeof session === 'string') return this.is(session);
    const { account } = session;
    const email = account.emails.find(({ address }) => address === own);
    if (!email) return this.is('NotFound');
    if (email.primary) return this.is('PrimaryEmailKept');
    account.emails = account.emails.filter((each) => each !== email);
    for (const each of this.challenges) if (each.to === own && this.isOf(each, account)) each.used = true;
    return this.is('EmailsChanged');
  }

  deleteAccount(client: ModelClient): string {
    const session = this.fresh(client);
    if (typeof session === 'string') return this.is(session);
    const { account } = session;
    const held = account.emails.filter(({ primary, verified }) => primary || verified).map(({ address }) => address);
    for (const login of this.logins) {
      if (login.account === account || (!login.account && held.includes(login.email ?? ''))) login.over = true;
    }
    for (const each of this.challenges) {
      const nobodys = !each.account && !each.session && held.includes(each.to);
      if (this.isOf(each, account) || nobodys || each.login?.over) each.used = true;
    }
    account.gone = true;
    return this.is('AccountDeleted');
  }

  logOut(client: ModelClient): string {
    const session = this.alive(client);
    if (!session) return this.is('Unauthenticated');
    session.over = true;
    return this.is('LoggedOut');
  }

  signedIn(client: ModelClient, result: string): string {
    return this.is(this.alive(client) ? result : 'Unauthenticated');
  }

  // ── what comes of it ──

  /** Notes what an answer gave: tokens, handles, and whose session it is. */
  learn(client: ModelClient, { result }: Answer): void {
    const { login, session, challenge, renewed, ceremony, device, codes, flow } = this.begun;
    this.begun = {};
    const credential = result.credential as { token: string } | undefined;
    if (login) login.token = String(result.loginToken);
    if (challenge) challenge.handle = String(result.handle);
    if (ceremony) {
      ceremony.handle = String(result.handle ?? result.loginToken);
      ceremony.secret = String(result.secret ?? '');
      ceremony.options = (result.options ?? result.passkeyOptions ?? null) as Ceremony['options'];
    }
    if (flow) Object.assign(flow, { flowToken: String(result.flowToken), url: String(result.url) });
    if (device) device.token = String(result.trustedDeviceToken ?? '');
    for (const code of (codes && (result.recoveryCodes as string[])) ?? []) codes?.codes?.unused.add(code);
    const asked = this.logins.find(({ token }) => token !== '' && token === result.loginToken);
    const shown = result.passkeyOptions as { challenge: string } | null | undefined;
    if (asked && shown) asked.passkey.challenge = shown.challenge;
    if (session) {
      const { id } = result.user as { id: string };
      if (session.account.id !== null && session.account.id !== id) throw new Error('a session of somebody else');
      session.account.id = id;
      session.token = credential?.token ?? '';
      this.sessions.push(session);
      client.session = session;
    }
    if (renewed) {
      const next: Session = { ...renewed, over: false, token: credential?.token ?? '' };
      for (const each of [...this.challenges, ...this.ceremonies, ...this.flows.all])
        if (each.session === renewed) Object.assign(each, { session: next });
      this.sessions.push(next);
      client.session = next;
    }
  }

  /** Reads the mails that came, each of which must be due: the code and link of a challenge go to its mailbox only. */
  deliver(mails: readonly ReadMail[]): void {
    const carrying = mails.filter(({ code, token }) => code || token);
    for (const challenge of this.outgoing) {
      const at = carrying.findIndex(({ to }) => to === challenge.to);
      const [mail] = at < 0 ? [] : carrying.splice(at, 1);
      if ((mail === undefined) === (challenge.account !== null)) {
        throw new Error(`${mail ? 'a' : 'no'} mail for ${challenge.purpose} to ${challenge.to}`);
      }
      if (!mail) continue;
      challenge.code = mail.code;
      challenge.token = mail.token;
      // Where an account at the provider is all that its maker has shown, a typed code alone does.
      const joins = (challenge.account?.connections.size ?? 0) > 0 || (challenge.login?.identity ?? null) !== null;
      const verifies = challenge.purpose === 'VERIFY_EMAIL' || challenge.purpose === 'CONFIRM_EMAIL';
      if (verifies && (mail.token === '') !== joins)
        throw new Error(`a mail to ${mail.to} with ${mail.token ? 'a link' : 'no link'}`);
      this.letters.push({ purpose: challenge.purpose, to: mail.to, code: mail.code, token: mail.token });
    }
    if (carrying[0]) throw new Error(`a mail that was not due: ${carrying[0].subject} to ${carrying[0].to}`);
    this.outgoing = [];
  }

  // ── the stages ──

  private stageOf(login: Login): Stage | null {
    const { purpose, methods, account, email, mfaAt, identity } = login;
    if (purpose === 'PROVIDER' && !account && identity)
      return this.addressUse(identity) === 'link' ? 'linkAccount' : 'signUpWithProvider';
    const proven = methods.some((method) => method !== 'PASSWORD');
    if (!proven && (purpose === 'CODE' || (this.settings.codes && purpose === 'PASSWORD'))) return 'loginCode';
    const mustEnroll = this.settings.enforced && account !== null && !account.factors.protects;
    if (this.settings.mandatory || mustEnroll) {
      const address = email ?? account?.emails.find(({ primary }) => primary)?.address ?? null;
      const verified = account?.emails.some((own) => own.address === address && own.verified);
      if (address !== null && !verified) return 'verifyEmail';
    }
    if (account?.factors.protects && mfaAt === null && !this.isTrusted(login)) return 'secondFactor';
    if (account?.password !== null && account?.marked) return 'replacePassword';
    return mustEnroll ? 'enrollFactor' : null;
  }

  private isTrusted({ account, device }: Login): boolean {
    if (!account || device?.account !== account || device.forgotten) return false;
    return device.binding === this.bindingOf(account) && device.ends > this.clock();
  }

  private bindingOf({ version, factors }: Account): string {
    return `${version} ${factors.revision}`;
  }

  private begin(
    client: ModelClient,
    begun: Pick<Login, 'purpose' | 'account' | 'email' | 'methods'> & Partial<Login>,
    otherwise = 'InvalidCredentials',
  ): string {
    const version = begun.version === undefined ? (begun.account?.version ?? null) : begun.version;
    const login: Login = {
      ...{ purpose: begun.purpose, account: begun.account, email: begun.email, methods: begun.methods, version },
      ...{ token: '', person: client.person, stage: null, over: false, password: begun.password ?? null },
      ...{ identity: begun.identity ?? null, madeFrom: begun.madeFrom ?? null, knownBy: begun.knownBy ?? null },
      ...{ provenAt: this.clock(), mfaAt: begun.mfaAt ?? null, factorAttempts: 0, trusts: false },
      device: begun.device ?? null,
      passkey: { challenge: null, ends: this.clock() + 5 * MINUTE },
      ends: this.clock() + 15 * MINUTE,
    };
    const stage = this.stageOf(login);
    if (!stage) return this.open(client, login, otherwise);
    login.stage = stage;
    this.logins.push(login);
    this.begun.login = login;
    this.enter(client, login);
    return this.is(PROMPTS[stage]);
  }

  private resume(client: ModelClient, login: Login): string {
    if (login.passkey.ends <= this.clock()) login.passkey = { challenge: null, ends: this.clock() + 5 * MINUTE };
    const stage = this.stageOf(login);
    if (!stage) {
      login.over = true;
      return this.open(client, login, 'LoginExpired');
    }
    if (stage !== login.stage) {
      login.stage = stage;
      this.enter(client, login);
    }
    return this.is(PROMPTS[stage]);
  }

  private enter(client: ModelClient, login: Login): void {
    const purpose = login.stage && AWAITED[login.stage];
    if (!purpose || this.challenges.some((each) => each.login === login && each.purpose === purpose)) return;
    const primary = login.account?.emails.find((each) => each.primary)?.address ?? null;
    if (purpose === 'LINK_ACCOUNT') {
      // It waits until somebody asks for it.
      const account = this.accountToLink(login);
      this.challenges.push({
        ...{ purpose, person: login.person, login, session: null, account, to: login.identity?.email ?? '' },
        ...{ handle: '', code: '', token: '', attempts: 0, used: false, linkEnds: 0 },
        ...{ codeEnds: this.clock() + 10 * MINUTE, resendAt: this.clock() },
      });
      return;
    }
    const to = purpose === 'LOGIN_CODE' && login.purpose !== 'CODE' ? primary : (login.email ?? primary);
    // Without an address left, nothing is sent.
    this.issue(client, purpose, to === null ? null : login.account, to ?? '', { login });
  }

  private open(client: ModelClient, login: Login, otherwise: string): string {
    const { account, version, methods, purpose, email } = login;
    if (!account || account.gone || account.version !== version) return this.is(otherwise);
    if (login.identity && !this.join(account, login.identity)) {
      // It has become somebody else's meanwhile: what was proven was right, and the login is over.
      this.spent += 1;
      return this.is(otherwise);
    }
    if (login.identity) this.is('(joined with a session)');
    // Whatever the stages above say: this is what a session is for.
    const proven = methods.filter((method) => method !== 'PASSWORD');
    const shown = methods.filter((method) => method !== 'PROVIDER');
    const cameBy = login.knownBy ?? login.madeFrom;
    const missing =
      (methods.length === 0 && 'a proof') ||
      (purpose === 'PASSWORD' && this.settings.codes && proven.length === 0 && 'the code') ||
      (login.identity && purpose === 'PROVIDER' && shown.length === 0 && 'a proof of whose it is') ||
      (cameBy && !account.connections.has(cameBy.subject) && 'the account at the provider that it came by') ||
      (this.settings.mandatory &&
        email &&
        !account.emails.some((own) => own.address === email && own.verified) &&
        'the address') ||
      (account.factors.protects && login.mfaAt === null && !this.isTrusted(login) && 'the second factor') ||
      (this.settings.enforced && !account.factors.protects && 'a second factor') ||
      (account.marked && account.password !== null && 'another password');
    if (missing) throw new Error(`the model opens a session without ${missing}`);
    if (client.session && this.isAlive(client.session)) client.session.over = true;
    const now = this.clock();
    const { provenAt, mfaAt, trusts } = login;
    account.entered = true;
    const byProvider = methods.includes('PROVIDER');
    this.begun.session = { token: '', account, ends: now + 30 * DAY, provenAt, mfaAt, byProvider, over: false };
    if (trusts) {
      const binding = this.bindingOf(account);
      const device: Device = {
        account,
        binding,
        ends: now + 30 * DAY,
        person: client.person,
        token: '',
        forgotten: false,
      };
      this.devices.push(device);
      this.begun.device = device;
    }
    return this.is('LoggedIn');
  }

  // ── codes and links ──

  private issue(
    { person }: ModelClient,
    purpose: Purpose,
    account: Account | null,
    to: string,
    { login = null, session = null }: { login?: Login | null; session?: Session | null } = {},
  ): Challenge {
    const fresh = { handle: '', code: '', token: '', attempts: 0, codeEnds: 0, linkEnds: 0, resendAt: 0, used: false };
    const challenge: Challenge = { purpose, person, login, session, account, to, ...fresh };
    this.challenges.push(challenge);
    this.send(challenge);
    return challenge;
  }

  private send(challenge: Challenge): void {
    const now = this.clock();
    challenge.code = '';
    challenge.token = '';
    challenge.codeEnds = now + 10 * MINUTE;
    challenge.linkEnds = now + LINKS[challenge.purpose];
    challenge.resendAt = now + 30_000;
    this.outgoing.push(challenge);
  }

  private check(proof: Proof, purposes: readonly Purpose[]): Checked {
    const now = this.clock();
    if ('token' in proof) {
      const ok = this.challenges.find((each) => each.token === proof.token && purposes.includes(each.purpose));
      return ok?.account && !ok.used && ok.linkEnds > now ? { ok, by: 'LINK' } : { refused: 'InvalidToken' };
    }
    const found = this.find(proof.code.handle, purposes);
    if (typeof found === 'string') return { refused: found };
    if (found.codeEnds <= now) return { refused: 'InvalidToken' };
    found.attempts += 1;
    if (found.code !== '' && found.code === proof.code.code && found.account) return { ok: found, by: 'CODE' };
    if (found.attempts >= 5) {
      this.spent += 1;
      if (found.login) found.login.over = true;
    }
    return { refused: 'InvalidCode' };
  }

  private find(handle: string, purposes: readonly Purpose[] | null): Challenge | string {
    const isLive = (each: Challenge) => !each.used && each.attempts < 5;
    if (!handle.startsWith('pl_')) {
      const found = this.challenges.find((each) => each.handle === handle);
      const live = found && isLive(found) && Math.max(found.codeEnds, found.linkEnds) > this.clock();
      return live && (purposes?.includes(found.purpose) ?? true) ? found : 'InvalidToken';
    }
    const login = this.logins.find(({ token }) => token === handle);
    if (!login || !this.isOpen(login)) return 'LoginExpired';
    const purpose = login.stage && AWAITED[login.stage];
    const awaited = this.challenges.find((each) => each.login === login && each.purpose === purpose);
    const expected = purpose && (purposes?.includes(purpose) ?? true);
    return awaited && expected && isLive(awaited) ? awaited : 'InvalidToken';
  }

  private beginCeremony(
    { person }: ModelClient,
    purpose: CeremonyPurpose,
    account: Account | null,
    about: { login?: Login; session?: Session; passwordless?: boolean },
  ): void {
    const { login = null, session = null, passwordless = false } = about;
    const ends = this.clock() + (purpose.startsWith('ENROLL') ? 10 : 5) * MINUTE;
    const fresh = { handle: '', secret: '', options: null, attempts: 0, used: false };
    const ceremony: Ceremony = { purpose, person, account, login, session, passwordless, ends, ...fresh };
    this.ceremonies.push(ceremony);
    this.begun.ceremony = ceremony;
  }

  private countCeremony(handle: string, purpose: CeremonyPurpose): Ceremony | null {
    const found = this.ceremonies.find((each) => each.handle === handle && each.purpose === purpose);
    if (!found || found.used || found.account?.gone || found.attempts >= 5 || found.ends <= this.clock()) return null;
    found.attempts += 1;
    return found;
  }

  private findEnrollment(client: ModelClient, handle: string, purpose: CeremonyPurpose): Ceremony | null {
    const found = this.countCeremony(handle, purpose);
    return found && (found.session === null || found.session === this.alive(client)) ? found : null;
  }

  private isStillAsked({ login }: Ceremony): boolean {
    return !login || (this.isOpen(login) && this.stageOf(login) === 'enrollFactor');
  }

  private enroll({ person }: ModelClient, ceremony: Ceremony, add: () => void): void {
    const { account, session, login } = ceremony;
    if (!account) return;
    ceremony.used = true;
    const first = !account.factors.protects;
    add();
    const now = this.clock();
    for (const holder of [session, login]) if (holder) Object.assign(holder, { provenAt: now, mfaAt: now });
    if (!first) return;
    for (const each of this.sessions) if (each.account === account && each !== session) each.over = true;
    account.factors.giveCodes(person);
    this.begun.codes = account.factors;
  }

  // ── what is changed ──

  private make(address: string, password: string | null): Account {
    const emails = [{ address, verified: false, primary: true }];
    const account: Account = {
      ...{ id: null, emails, password, marked: false, gone: false },
      version: password === null ? null : this.nextVersion(),
      factors: new HeldFactors(),
      connections: new Set(),
      entered: false,
    };
    this.accounts.push(account);
    return account;
  }

  private give(login: Login, email: string): Account | null {
    const { account, madeFrom } = login;
    const signsUp = login.password !== null || madeFrom !== null;
    if (!account && signsUp) this.release(email);
    const taken = this.holderOf(email) !== null;
    if (!account) {
      if (taken || !signsUp) return null;
      login.account = this.make(email, login.password);
      login.version = login.account.version;
      return login.account;
    }
    const primary = account.emails.find((own) => own.primary);
    // Back to the one that it has had all along.
    if (primary?.address === email) return account;
    const own = account.emails.some(({ address }) => address === email);
    if (!primary || primary.verified || taken || own) return null;
    primary.address = email;
    return account;
  }

  /** Takes an address that a proven account has never proved away from it, for somebody who signs up with it. */
  private release(address: string): void {
    const holder = this.holderOf(address);
    if (!holder || this.namedBy(address)) return;
    holder.emails = holder.emails.filter((email) => email.address !== address);
    const oldest = holder.emails.find(({ verified }) => verified);
    if (oldest) oldest.primary = true;
  }

  /** Null if the address is not theirs. */
  private verify(account: Account, address: string): 'new' | 'old' | null {
    const own = account.emails.find((email) => email.address === address);
    const others = this.accounts.filter((each) => each !== account && !each.gone);
    const elsewhere = others.some(({ emails }) => emails.some((each) => each.address === address && each.verified));
    if (account.gone || !own || elsewhere) return null;
    if (own.verified) return 'old';
    for (const other of others) other.emails = other.emails.filter((each) => each.address !== address);
    own.verified = true;
    // Whoever lost the primary one, because somebody else proved it, gets another.
    own.primary = !account.emails.some((email) => email !== own && email.primary);
    return 'new';
  }

  /** The first address that an account ever verified, by somebody who did not show its password: all else goes. */
  private reclaim(account: Account, address: string): 'kept' | 'reclaimed' | null {
    if (account.gone) return null;
    if (account.emails.some((email) => email.verified && email.address === address)) return 'kept';
    // Once an account has proven one address, another one that it merely says is its own is no part of it.
    if (account.emails.some((email) => email.verified) || this.verify(account, address) === null) return null;
    account.emails = account.emails.filter((email) => email.address === address);
    for (const email of account.emails) email.primary = true;
    account.password = null;
    account.version = null;
    account.marked = false;
    this.endAll(account);
    for (const each of [...this.challenges, ...this.ceremonies]) if (each.account === account) each.used = true;
    account.factors = new HeldFactors();
    if (account.connections.size > 0) this.is('(reclaimed with its connections)');
    account.connections.clear();
    return 'reclaimed';
  }

  /** Whoever marked a password does not want to see it again. */
  private isRuledOut({ marked, password }: Account, next: string): boolean {
    return marked && password === next;
  }

  private setPassword(account: Account, password: string, kept: { session?: Session; login?: Login } = {}): void {
    account.password = password;
    account.version = this.nextVersion();
    account.marked = false;
    this.endAll(account, kept);
    this.voidAll(account, BY_PASSWORD);
  }

  private endAll(account: Account, kept: { session?: Session; login?: Login } = {}): void {
    for (const each of this.sessions) if (each.account === account && each !== kept.session) each.over = true;
    for (const each of this.logins) if (each.account === account && each !== kept.login) each.over = true;
  }

  private voidAll(account: Account, purposes: readonly Purpose[]): void {
    for (const each of this.challenges) {
      if (each.account === account && purposes.includes(each.purpose)) each.used = true;
    }
  }

  private sendVerification(client: ModelClient, session: Session, address: string): string {
    const { account } = session;
    const primary = account.emails.some((own) => own.address === address && own.primary);
    const purpose = primary ? 'VERIFY_EMAIL' : 'CONFIRM_EMAIL';
    for (const each of this.challenges) {
      const earlier = each.purpose === purpose && each.to === address && !each.login;
      if (earlier && this.isOf(each, account)) each.used = true;
    }
    const elsewhere = this.accounts.some(
      (each) => each !== account && !each.gone && each.emails.some((own) => own.address === address && own.verified),
    );
    this.begun.challenge = this.issue(client, purpose, elsewhere ? null : account, address, { session });
    return this.is('CodeSent');
  }

  // ── small things ──

  private isOf(challenge: Challenge, account: Account): boolean {
    return challenge.account === account || challenge.session?.account === account;
  }

  private isOpen({ over, ends, token }: Login): boolean {
    return !over && ends > this.clock() && token !== '';
  }

  private alive({ session }: ModelClient): Session | null {
    return session && this.isAlive(session) ? session : null;
  }

  private fresh(client: ModelClient): Session | string {
    const session = this.alive(client);
    if (!session) return 'Unauthenticated';
    return session.provenAt + 15 * MINUTE > this.clock() ? session : 'ReauthenticationRequired';
  }

  /** Whoever has a second factor has shown it just now. */
  private freshByFactor(client: ModelClient): Session | string {
    const fresh = this.fresh(client);
    if (typeof fresh === 'string' || !fresh.account.factors.protects) return fresh;
    return fresh.mfaAt !== null && fresh.mfaAt + 15 * MINUTE > this.clock() ? fresh : 'ReauthenticationRequired';
  }

  private nextVersion(): number {
    this.versions += 1;
    return this.versions;
  }

  private is(outcome: string): string {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    return outcome;
  }
}

const flag = (value: boolean) => (value ? 't' : 'f');
