import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ADD_EMAIL,
  DELETE_ACCOUNT,
  REMOVE_EMAIL,
  SEND_EMAIL_VERIFICATION,
  SET_PRIMARY_EMAIL,
  UPDATE_PROFILE,
} from '../support/account.ts';
import { FACTOR_MOVES } from '../support/factor-moves.ts';
import { startHostileProvider } from '../support/hostile-provider.ts';
import {
  BEGIN_REAUTHENTICATION,
  CHANGE_PASSWORD,
  REAUTHENTICATE,
  REPLACE_PASSWORD,
  REQUEST_RESET,
  RESET_PASSWORD,
} from '../support/passwords.ts';
import {
  CHANGE_PENDING_EMAIL,
  CONTINUE_LOGIN,
  LOG_IN,
  LOG_IN_WITH_CODE,
  LOG_OUT,
  REQUEST_LOGIN_CODE,
  RESEND_CODE,
  SIGN_UP,
  VERIFY_EMAIL,
} from '../support/people.ts';
import type { ModelClient, PipelineSettings, Purpose } from '../support/pipeline.ts';
import {
  addressOf,
  type Choice,
  clientOf,
  codeFor,
  handleOf,
  holderOf,
  type Move,
  Play,
  passwordOf,
  pickFrom,
} from '../support/play.ts';
import { startSocialGateway } from '../support/social.ts';
import { SOCIAL_MOVES } from '../support/social-moves.ts';

const PENDING_LOGIN = `query Pending($loginToken: String!) { pendingLogin(loginToken: $loginToken) {
  __typename ... on PendingLogin { loginToken }
} }`;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

function proofFor(play: Play, client: ModelClient, choice: Choice, purposes: readonly Purpose[]) {
  const { model } = play;
  if (choice.other % 3 === 0) {
    const readable = model.letters.filter(({ to, token }) => token && model.reads(client, to));
    const fitting = readable.filter(({ purpose }) => purposes.includes(purpose));
    const letter = pickFrom(choice.pick < 8 && fitting.length > 0 ? fitting : readable, choice.which);
    return { token: letter?.token ?? `pk_${'A'.repeat(43)}` };
  }
  const handle = handleOf(play, client, choice, purposes);
  return { code: { handle, code: codeFor(play, client, handle, choice) } };
}

const VERIFYING: readonly Purpose[] = ['VERIFY_EMAIL', 'CONFIRM_EMAIL'];
const ANY: readonly Purpose[] = [...VERIFYING, 'LOGIN_CODE', 'RESET_PASSWORD', 'REAUTHENTICATE', 'LINK_ACCOUNT'];

const MOVES: Readonly<Record<string, Move>> = {
  ...FACTOR_MOVES,
  ...SOCIAL_MOVES,
  async signUp(play, choice) {
    const client = clientOf(play, choice);
    const [email, password] = [addressOf(play, client, choice.which), passwordOf(client, choice.other)];
    await play.send(client, SIGN_UP, { input: { email, password } }, () => play.model.signUp(client, email, password));
  },
  async logInWithPassword(play, choice) {
    const client = clientOf(play, choice);
    const [email, password] = [addressOf(play, client, choice.which), passwordOf(client, choice.other)];
    const device = pickFrom(play.model.devices, choice.pick)?.token || null;
    await play.send(client, LOG_IN, { input: { email, password, trustedDeviceToken: device } }, () =>
      play.model.logInWithPassword(client, email, password, device),
    );
  },
  async logInWithTheRightPassword(play, choice) {
    const client = clientOf(play, choice);
    const email = addressOf(play, client, choice.which);
    const known = client.passwords.find((each) => each === play.model.holderOf(email)?.password);
    const password = known ?? passwordOf(client, 0);
    const own = play.model.devices.filter(({ person }) => person === client.person);
    const device = choice.pick < 4 ? pickFrom(own, choice.other)?.token || null : null;
    await play.send(client, LOG_IN, { input: { email, password, trustedDeviceToken: device } }, () =>
      play.model.logInWithPassword(client, email, password, device),
    );
  },
  async requestLoginCode(play, choice) {
    const client = clientOf(play, choice);
    const email = addressOf(play, client, choice.which);
    await play.send(client, REQUEST_LOGIN_CODE, { input: { email } }, () => play.model.requestLoginCode(client, email));
  },
  async logInWithCode(play, choice) {
    const client = clientOf(play, choice);
    const proof = proofFor(play, client, choice, ['LOGIN_CODE']);
    await play.send(client, LOG_IN_WITH_CODE, { input: { proof } }, () => play.model.logInWithCode(client, proof));
  },
  async verifyEmail(play, choice) {
    const client = clientOf(play, choice);
    const proof = proofFor(play, client, choice, VERIFYING);
    const handle = handleOf(play, client, choice, ['VERIFY_EMAIL']);
    const loginToken = 'token' in proof && choice.pick < 6 ? handle : null;
    await play.send(client, VERIFY_EMAIL, { input: { proof, loginToken } }, () =>
      play.model.verifyEmail(client, proof, loginToken),
    );
  },
  async continueLogin(play, choice) {
    const client = clientOf(play, choice);
    const loginToken = handleOf(play, client, choice, [null, 'VERIFY_EMAIL', 'LOGIN_CODE']);
    await play.send(client, CONTINUE_LOGIN, { input: { loginToken } }, () =>
      play.model.continueLogin(client, loginToken),
    );
  },
  async pendingLogin(play, choice) {
    const client = clientOf(play, choice);
    const loginToken = handleOf(play, client, choice, [null, 'VERIFY_EMAIL', 'LOGIN_CODE']);
    await play.send(client, PENDING_LOGIN, { loginToken }, () => play.model.pendingLogin(loginToken));
  },
  async resendCode(play, choice) {
    const client = clientOf(play, choice);
    const handle = handleOf(play, client, choice, ANY);
    if (choice.other % 2 === 0) play.gateway.clock.advance(31 * SECOND);
    await play.send(client, RESEND_CODE, { input: { handle } }, () => play.model.resendCode(handle));
  },
  async changePendingEmail(play, choice) {
    const client = clientOf(play, choice);
    const [loginToken, email] = [
      handleOf(play, client, choice, ['VERIFY_EMAIL']),
      addressOf(play, client, choice.other),
    ];
    await play.send(client, CHANGE_PENDING_EMAIL, { input: { loginToken, email } }, () =>
      play.model.changePendingEmail(loginToken, email),
    );
  },
  async requestPasswordReset(play, choice) {
    const client = clientOf(play, choice);
    const email = addressOf(play, client, choice.which);
    await play.send(client, REQUEST_RESET, { input: { email } }, () => play.model.requestPasswordReset(client, email));
  },
  async resetPassword(play, choice) {
    const client = clientOf(play, choice);
    const proof = proofFor(play, client, choice, ['RESET_PASSWORD']);
    const newPassword = passwordOf(client, choice.which);
    await play.send(client, RESET_PASSWORD, { input: { proof, newPassword } }, () =>
      play.model.resetPassword(client, proof, newPassword),
    );
  },
  async markPassword(play, choice) {
    const account = pickFrom(
      play.model.accounts.filter(({ gone, password }) => !gone && password),
      choice.which,
    );
    if (!account) return;
    await play.change(
      `UPDATE passwords SET replace_reason = 'ADMINISTRATOR' FROM emails
       WHERE emails.user_id = passwords.user_id AND address = $1 AND (is_primary OR verified_at IS NOT NULL)`,
      [account.emails.find(({ primary, verified }) => primary || verified)?.address ?? ''],
    );
    if (account.emails.some(({ primary, verified }) => primary || verified)) account.marked = true;
  },
  async replacePassword(play, choice) {
    const client = clientOf(play, choice);
    const loginToken = handleOf(play, client, choice, [null]);
    const newPassword = passwordOf(client, choice.other);
    await play.send(client, REPLACE_PASSWORD, { input: { loginToken, newPassword } }, () =>
      play.model.replacePassword(client, loginToken, newPassword),
    );
  },
  async changePassword(play, choice) {
    const client = holderOf(play, choice);
    const current = client.session?.account.password ?? null;
    const currentPassword = choice.pick < 7 ? current : choice.pick < 9 ? passwordOf(client, choice.which) : null;
    const newPassword = passwordOf(client, choice.other);
    await play.send(client, CHANGE_PASSWORD, { input: { currentPassword, newPassword } }, () =>
      play.model.changePassword(client, currentPassword, newPassword),
    );
  },
  async beginReauthentication(play, choice) {
    const without = play.model.clients.filter(({ session }) => session?.account.password === null);
    const client = pickFrom(without, choice.who) ?? holderOf(play, choice);
    await play.send(client, BEGIN_REAUTHENTICATION, { input: { method: 'EMAIL_CODE' } }, () =>
      play.model.beginReauthentication(client),
    );
  },
  async reauthenticate(play, choice) {
    const client =
      pickFrom(
        play.model.clients.filter(({ session }) => session?.account.password === null),
        choice.who,
      ) ?? holderOf(play, choice);
    const handle = handleOf(play, client, choice, ['REAUTHENTICATE']);
    const input =
      choice.other % 2 === 0 && client.session?.account.password !== null
        ? { password: (choice.pick < 7 ? client.session?.account.password : null) ?? passwordOf(client, choice.which) }
        : { emailCode: { handle, code: codeFor(play, client, handle, choice) } };
    await play.send(client, REAUTHENTICATE, { input }, () => play.model.reauthenticate(client, input));
  },
  async addEmail(play, choice) {
    const client = holderOf(play, choice);
    const email = addressOf(play, client, choice.which);
    await play.send(client, ADD_EMAIL, { input: { email } }, () => play.model.addEmail(client, email));
  },
  sendEmailVerification: (play, choice) =>
    withEmailId(play, choice, SEND_EMAIL_VERIFICATION, (client, email) =>
      play.model.sendEmailVerification(client, email),
    ),
  setPrimaryEmail: (play, choice) =>
    withEmailId(play, choice, SET_PRIMARY_EMAIL, (client, email) => play.model.setPrimaryEmail(client, email)),
  removeEmail: (play, choice) =>
    withEmailId(play, choice, REMOVE_EMAIL, (client, email) => play.model.removeEmail(client, email)),
  async updateProfile(play, choice) {
    const client = holderOf(play, choice);
    const input = { name: `Ada the ${choice.which}.` };
    await play.send(client, UPDATE_PROFILE, { input }, () => play.model.signedIn(client, 'ProfileUpdated'));
  },
  async deleteAccount(play, choice) {
    const client = holderOf(play, choice);
    if (choice.pick > 3) return;
    await play.send(client, DELETE_ACCOUNT, {}, () => play.model.deleteAccount(client));
  },
  async logOut(play, choice) {
    const client = holderOf(play, choice);
    await play.send(client, LOG_OUT, {}, () => play.model.logOut(client));
  },
  /** What somebody does who wants to get in: the next thing that is asked, or else another way. */
  async goOn(play, choice) {
    const { model } = play;
    const client = clientOf(play, choice);
    const own = model.handles.filter(({ person }) => person === client.person);
    const open = own.findLast(({ handle }) => handle.startsWith('pl_') && model.awaits(handle) !== undefined);
    const asks = open && model.awaits(open.handle);
    const likely = { ...choice, which: 0, other: 1, pick: 0 };
    const step = open && asks === null ? STEPS[model.standsAt(open.handle)?.stage ?? 'ready'] : undefined;
    if (step) return MOVES[step]?.(play, { ...likely, other: choice.other });
    if (open && asks === 'LINK_ACCOUNT') return MOVES.linkAccount?.(play, { ...likely, other: choice.other });
    const letter = open && model.codeOf(open.handle);
    const readable = letter && model.reads(client, letter.to);
    if (readable) return MOVES[asks === 'LOGIN_CODE' ? 'logInWithCode' : 'verifyEmail']?.(play, likely);
    const reset = own.findLast(({ handle }) => model.awaits(handle) === 'RESET_PASSWORD');
    if (reset) return MOVES.resetPassword?.(play, { ...likely, which: choice.which });
    const ways = ['logInWithTheRightPassword', 'logInWithTheRightPassword', 'requestLoginCode', 'requestPasswordReset'];
    const address = addressOf(play, client, choice.which);
    const way = model.holderOf(address) ? ways[choice.pick % ways.length] : 'signUp';
    return MOVES[way ?? 'signUp']?.(play, choice);
  },
  /** Somebody comes in by codes alone, on both of their devices; if they are the first to prove the mailbox, nothing else is left. */
  async comeByCode(play, choice) {
    const likely = { ...choice, other: 1, pick: 0 };
    const email = addressOf(play, clientOf(play, choice), choice.which % 8);
    if (!play.model.holderOf(email)) await MOVES.signUp?.(play, { ...likely, which: choice.which % 8 });
    for (const who of [choice.who, choice.who + 2]) {
      for (const what of ['requestLoginCode', 'logInWithCode']) {
        await play.settle();
        play.gateway.clock.advance(SECOND);
        await MOVES[what]?.(play, { ...likely, who, which: what === 'requestLoginCode' ? choice.which % 8 : 0 });
      }
    }
  },
  /** Somebody sets a second factor up if they can, and comes again with it. */
  async comeProtected(play, choice) {
    const likely = { ...choice, pick: choice.pick % 4 };
    const whatever = ['goOn', 'goOn', 'setUpFactor', 'logInWithTheRightPassword', 'verifyMfa'];
    for (const what of whatever) {
      await MOVES[what]?.(play, likely);
      await play.settle();
      play.gateway.clock.advance(SECOND);
    }
  },
  async wait(play, { pick }) {
    const pauses = [11 * MINUTE, 11 * MINUTE, 31 * MINUTE, 31 * SECOND, 25 * HOUR];
    play.wait(pauses[pick % pauses.length] ?? 0);
  },
};

/** An address that somebody holds, by its id: of the viewer, or of anybody else. */
async function withEmailId(
  play: Play,
  choice: Choice,
  query: string,
  expected: (client: ModelClient, own: string | null) => string,
): Promise<void> {
  const client = holderOf(play, choice);
  const address = addressOf(play, client, choice.which);
  const rows = await play.gateway.sql<{ id: string; user_id: string }>(
    'SELECT id, user_id FROM emails WHERE address = $1 ORDER BY user_id = $2 DESC',
    [address, client.session?.account.id ?? null],
  );
  const [row] = rows;
  const own = row !== undefined && row.user_id === client.session?.account.id;
  const id = row?.id ?? '00000000-0000-4000-8000-000000000000';
  await play.send(client, query, { input: { id } }, () => expected(client, own ? address : null));
}

class Command implements fc.AsyncCommand<Play, Play> {
  readonly choice: Choice;

  constructor(choice: Choice) {
    this.choice = choice;
  }

  check(): boolean {
    return true;
  }

  async run(play: Play): Promise<void> {
    // Nothing happens twice in one instant: that is what other tests are for.
    play.gateway.clock.advance(SECOND);
    const { what, pick } = this.choice;
    const isIdle =
      FOR_THE_SIGNED_IN.has(what) &&
      pick < 8 &&
      !play.model.clients.some(({ session }) => session && play.model.isAlive(session));
    await MOVES[isIdle ? 'goOn' : what]?.(play, this.choice);
    await play.settle();
  }

  toString(): string {
    const { what, who, which, other, pick } = this.choice;
    return `${what}(${who}, ${which}, ${other}, ${pick})`;
  }
}

/** What takes a login on that waits for no code. */
const STEPS: Readonly<Record<string, string>> = {
  signUpWithProvider: 'completeProviderSignUp',
  secondFactor: 'verifyMfa',
  replacePassword: 'replacePassword',
  enrollFactor: 'setUpFactor',
  ready: 'continueLogin',
};
/** Of little use as long as nobody is signed in. */
const FOR_THE_SIGNED_IN: ReadonlySet<string> = new Set([
  'changePassword',
  'beginReauthentication',
  'reauthenticate',
  'setUpFactor',
  'removeAuthenticator',
  'generateRecoveryCodes',
  'forgetTrustedDevices',
  'reauthenticateByFactor',
  'addEmail',
  'sendEmailVerification',
  'setPrimaryEmail',
  'removeEmail',
  'updateProfile',
  'deleteAccount',
  'logOut',
  'connectProvider',
  'disconnectProvider',
  'disconnectAtLogin',
]);
/** Some moves are made more often, or few runs would come far. */
const OFTEN = [
  ...Array<string>(10).fill('goOn'),
  'comeByCode',
  'beginReauthentication',
  'reauthenticate',
  'logInWithCode',
  'verifyEmail',
  'verifyEmail',
  'addEmail',
  'comeProtected',
  'comeProtected',
  'verifyMfa',
  'logInByPasskey',
  'reauthenticateByFactor',
  'logInWithProvider',
  'comeLinked',
  'comeBackWrongly',
];
const choices = fc.record({
  what: fc.constantFrom(...Object.keys(MOVES), ...OFTEN),
  who: fc.nat(3),
  which: fc.nat(11),
  other: fc.nat(11),
  pick: fc.nat(9),
});

const RUNS = Number(process.env.POSTERN_TEST_RUNS ?? 6);
const NOTHING: PipelineSettings = { mandatory: false, codes: false, logsInAfterReset: false, enforced: false };
const WORLDS: Readonly<Record<string, PipelineSettings>> = {
  'where addresses must be verified': { ...NOTHING, mandatory: true },
  'where addresses may be verified': { ...NOTHING, logsInAfterReset: true },
  'where a password needs a code beside it': { ...NOTHING, mandatory: true, codes: true, logsInAfterReset: true },
  'where a password needs a code, and addresses may be verified': { ...NOTHING, codes: true },
  'where everybody must have a second factor': { ...NOTHING, mandatory: true, logsInAfterReset: true, enforced: true },
};

describe('whatever two people do in whatever order, each call does what a small model of the pipeline says', () => {
  for (const [name, settings] of Object.entries(WORLDS)) {
    test(`${name} (without any one check of the pipeline, some sequence opens or changes something)`, {
      timeout: 60_000 + RUNS * 5_000,
    }, async () => {
      const provider = await startHostileProvider();
      const gateway = await startSocialGateway(provider, {
        env: {
          POSTERN_RATE_LIMITS: 'off',
          POSTERN_EMAIL_VERIFICATION: settings.mandatory ? 'mandatory' : 'optional',
          POSTERN_LOGIN_CODE_REQUIRED: settings.codes ? 'on' : 'off',
          POSTERN_LOG_IN_AFTER_PASSWORD_RESET: settings.logsInAfterReset ? 'on' : 'off',
          POSTERN_MFA_REQUIRED: settings.enforced ? 'everyone' : 'off',
          POSTERN_SESSION_IDLE: '30d',
        },
      });
      let run = 0;
      const coverage = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(
          fc.commands([choices.map((choice) => new Command(choice))], { maxCommands: 60, size: 'max' }),
          async (commands) => {
            run += 1;
            // Whatever became of the run before.
            await gateway.mails.rest('');
            for (const table of ['users', 'pending_logins', 'challenges']) await gateway.sql(`DELETE FROM ${table}`);
            const play = new Play(gateway, provider, settings, run);
            await fc.asyncModelRun(() => ({ model: play, real: play }), commands);
            for (const [what, count] of play.model.outcomes) coverage.set(what, (coverage.get(what) ?? 0) + count);
          },
        ),
        {
          numRuns: RUNS,
          ...(process.env.POSTERN_TEST_SEED ? { seed: Number(process.env.POSTERN_TEST_SEED) } : {}),
        },
      );
      if (process.env.POSTERN_TEST_RUNS) process.stdout.write(`${name}: ${JSON.stringify([...coverage].sort())}\n`);
      // A run in which nobody ever gets in shows nothing.
      expect(coverage.get('LoggedIn') ?? 0).toBeGreaterThan(0);
      await gateway.stop();
      await provider.close();
    });
  }
});
