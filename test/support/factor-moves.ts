import {
  BEGIN_PASSKEY,
  BEGIN_PASSKEY_LOGIN,
  BEGIN_TOTP,
  CONFIRM_PASSKEY,
  CONFIRM_TOTP,
  FORGET_TRUSTED_DEVICES,
  GENERATE_RECOVERY_CODES,
  LOG_IN_WITH_PASSKEY,
  REMOVE_AUTHENTICATOR,
  totpCode,
  VERIFY_MFA,
} from './factors.ts';
import { BEGIN_REAUTHENTICATION, REAUTHENTICATE } from './passwords.ts';
import type { ModelClient } from './pipeline.ts';
import type { Assertion, FactorKind, HeldFactors, ModelAnswer } from './pipeline-factors.ts';
import { type Choice, clientOf, holderOf, type Move, type Play, pickFrom } from './play.ts';

const NOBODYS = '00000000-0000-4000-8000-000000000000';
const RECOVERY_CODE = 'AAAA-AAAA-AAAA-AAAA';
/** A code works once, so whoever was just there waits for the next. */
const STEP = 30_000;

const credentialsOf = (play: Play, { person }: ModelClient) => play.authenticators[person]?.credentials ?? [];
const verifies = ({ person }: ModelClient) => person === 'A';

/** A login token of somebody: mostly one of their own that stands at this stage. */
function tokenAt({ model }: Play, client: ModelClient, stage: string, { pick, other }: Choice): string | null {
  const tokens = model.handles.filter(({ handle, person }) => handle.startsWith('pl_') && person === client.person);
  const standing = tokens.filter(({ handle }) => model.standsAt(handle)?.stage === stage);
  return pickFrom(pick < 8 ? standing : tokens, pick < 8 ? 0 : other)?.handle ?? null;
}

/** A passkey's signature over a challenge, in JSON, and what the model is to know of it. */
function sign(
  play: Play,
  client: ModelClient,
  challenge: string,
  own: (credentialId: string) => boolean,
): { readonly json: Record<string, unknown>; readonly model: { readonly passkey: Assertion } } | null {
  const credential = credentialsOf(play, client).find(({ id }) => own(id)) ?? credentialsOf(play, client)[0];
  const { id: credentialId, rpId } = credential ?? {};
  const options = { challenge, rpId, allowCredentials: [{ id: credentialId }] };
  const json = credentialId ? play.authenticators[client.person]?.get(options) : undefined;
  return json && credentialId
    ? { json, model: { passkey: { credentialId, challenge, verified: verifies(client) } } }
    : null;
}

/** What somebody shows for a second factor of an account: mostly something right, if they have it. */
function answerFor(
  play: Play,
  client: ModelClient,
  factors: HeldFactors | undefined,
  challenge: string,
  { pick, other }: Choice,
): { readonly input: Record<string, unknown>; readonly model: ModelAnswer } {
  const isOwn = (id: string) => factors?.passkeys.some(({ credentialId }) => credentialId === id) ?? false;
  const held = factors?.kinds ?? [];
  const kinds: readonly FactorKind[] = pick < 9 && held.length > 0 ? held : ['TOTP', 'PASSKEY', 'RECOVERY_CODE'];
  const kind = kinds[other % kinds.length];
  if (kind === 'PASSKEY') {
    const elsewhere = pickFrom(play.model.ceremonies, other)?.options?.challenge;
    const signed = sign(play, client, (pick === 8 && elsewhere) || challenge || 'AAAA', isOwn);
    if (signed) return { input: { passkey: signed.json }, model: signed.model };
  }
  if (kind === 'RECOVERY_CODE') {
    const unused = factors?.codes?.person === client.person ? [...factors.codes.unused] : [];
    const recoveryCode = (pick < 8 ? unused[0] : pickFrom(play.usedCodes, other)) ?? RECOVERY_CODE;
    play.usedCodes.push(recoveryCode);
    return { input: { recoveryCode }, model: { recoveryCode } };
  }
  if (pick < 7) play.gateway.clock.advance(STEP);
  const { secret, person } = factors?.totp ?? {};
  const totp = secret && person === client.person ? totpCode(secret, play.gateway.clock()) : '000000';
  return { input: { totp }, model: { totp } };
}

/** What is done with further factors. */
export const FACTOR_MOVES: Readonly<Record<string, Move>> = {
  async verifyMfa(play, choice) {
    const client = clientOf(play, choice);
    const loginToken = tokenAt(play, client, 'secondFactor', choice) ?? `pl_${'A'.repeat(43)}`;
    const at = play.model.standsAt(loginToken);
    const { input: proof, model } = answerFor(play, client, at?.account?.factors, at?.challenge ?? '', choice);
    const trustDevice = choice.which % 2 === 0;
    await play.send(client, VERIFY_MFA, { input: { loginToken, proof, trustDevice } }, () =>
      play.model.verifyMfa(client, loginToken, model, trustDevice),
    );
  },
  async beginEnrollment(play, choice) {
    const purpose = choice.other % 2 === 0 ? 'ENROLL_TOTP' : 'ENROLL_PASSKEY';
    const asked = tokenAt(play, clientOf(play, choice), 'enrollFactor', choice);
    const loginToken = choice.pick !== 7 ? asked : null;
    const client = loginToken === null ? holderOf(play, choice) : clientOf(play, choice);
    await play.send(client, purpose === 'ENROLL_TOTP' ? BEGIN_TOTP : BEGIN_PASSKEY, { input: { loginToken } }, () =>
      play.model.beginEnrollment(client, purpose, loginToken),
    );
  },
  async confirmTotp(play, choice) {
    const client = clientOf(play, choice);
    const begun = play.model.ceremonyOf(client, 'ENROLL_TOTP') ?? pickFrom(play.model.ceremonies, choice.which);
    const handle = begun?.handle || `pc_${'A'.repeat(43)}`;
    const code = choice.pick < 8 && begun?.secret ? totpCode(begun.secret, play.gateway.clock()) : '000000';
    await play.send(client, CONFIRM_TOTP, { input: { handle, code } }, () =>
      play.model.confirmTotp(client, handle, code),
    );
  },
  async confirmPasskey(play, choice) {
    const client = clientOf(play, choice);
    const begun = play.model.ceremonyOf(client, 'ENROLL_PASSKEY');
    const { options } = begun ?? {};
    if (!begun || !options) return;
    const other = pickFrom(play.model.ceremonies, choice.other)?.options?.challenge;
    const challenge = (choice.pick > 7 && other) || options.challenge;
    const response = play.authenticators[client.person]?.create({ ...options, challenge }) ?? {};
    const made = { credentialId: String(response.id), challenge, verified: verifies(client) };
    await play.send(client, CONFIRM_PASSKEY, { input: { handle: begun.handle, response } }, () =>
      play.model.confirmPasskey(client, begun.handle, made),
    );
  },
  /** Begins and confirms, as the same client. */
  async setUpFactor(play, choice) {
    const asked = tokenAt(play, clientOf(play, choice), 'enrollFactor', choice);
    const who = asked === null ? holderOf(play, choice).index : choice.who;
    await FACTOR_MOVES.beginEnrollment?.(play, { ...choice, who });
    await play.settle();
    await FACTOR_MOVES[choice.other % 2 === 0 ? 'confirmTotp' : 'confirmPasskey']?.(play, { ...choice, who });
  },
  async beginPasskeyLogin(play, choice) {
    const client = clientOf(play, choice);
    await play.send(client, BEGIN_PASSKEY_LOGIN, { input: {} }, () => play.model.beginPasskeyLogin(client));
  },
  async logInWithPasskey(play, choice) {
    const client = clientOf(play, choice);
    const begun = play.model.ceremonyOf(client, 'LOG_IN') ?? pickFrom(play.model.ceremonies, choice.which);
    const elsewhere = pickFrom(play.model.ceremonies, choice.other)?.options?.challenge;
    const challenge = (choice.pick > 7 && elsewhere) || begun?.options?.challenge || 'AAAA';
    const isHeld = (id: string) =>
      play.model.accounts.some(({ gone, factors }) => !gone && factors.passkeys.some((own) => own.credentialId === id));
    const signed = sign(play, client, challenge, isHeld);
    if (!signed) return;
    const loginToken = begun?.handle || `pl_${'A'.repeat(43)}`;
    const { passkey } = signed.model;
    await play.send(client, LOG_IN_WITH_PASSKEY, { input: { loginToken, response: signed.json } }, () =>
      play.model.logInWithPasskey(client, loginToken, passkey),
    );
  },
  async logInByPasskey(play, choice) {
    await FACTOR_MOVES.beginPasskeyLogin?.(play, choice);
    await play.settle();
    await FACTOR_MOVES.logInWithPasskey?.(play, choice);
  },
  async reauthenticateByFactor(play, choice) {
    const client = holderOf(play, choice);
    const factors = client.session?.account.factors;
    const { model } = play;
    if (factors?.passkeys.length || choice.pick === 9) {
      await play.send(client, BEGIN_REAUTHENTICATION, { input: { method: 'PASSKEY' } }, () =>
        model.beginReauthenticationByPasskey(client),
      );
      await play.settle();
    }
    const begun = model.ceremonyOf(client, 'REAUTHENTICATE');
    const answer = answerFor(play, client, factors, begun?.options?.challenge ?? '', choice);
    const byPasskey = 'passkey' in answer.model;
    const handle = byPasskey ? (begun?.handle ?? `pc_${'A'.repeat(43)}`) : null;
    const input = byPasskey ? { passkey: { handle, response: answer.input.passkey } } : answer.input;
    await play.send(client, REAUTHENTICATE, { input }, () =>
      model.reauthenticateByFactor(client, answer.model, handle),
    );
  },
  async removeAuthenticator(play, choice) {
    const client = holderOf(play, choice);
    const rows = await play.gateway.sql<{
      id: string;
      user_id: string;
      kind: FactorKind;
      credential_id: string | null;
    }>('SELECT id, user_id, kind, credential_id FROM authenticators ORDER BY user_id = $1 DESC, id', [
      client.session?.account.id ?? null,
    ]);
    const own = rows.filter(({ user_id }) => user_id === client.session?.account.id);
    const row = choice.pick < 8 ? pickFrom(own, choice.which) : pickFrom(rows, choice.which);
    const known = row && own.includes(row) ? { kind: row.kind, credentialId: row.credential_id } : null;
    await play.send(client, REMOVE_AUTHENTICATOR, { input: { id: row?.id ?? NOBODYS } }, () =>
      play.model.removeAuthenticator(client, known),
    );
  },
  async generateRecoveryCodes(play, choice) {
    const client = holderOf(play, choice);
    await play.send(client, GENERATE_RECOVERY_CODES, {}, () => play.model.generateRecoveryCodes(client));
  },
  async forgetTrustedDevices(play, choice) {
    const client = holderOf(play, choice);
    if (choice.pick > 4) return;
    await play.send(client, FORGET_TRUSTED_DEVICES, {}, () => play.model.forgetTrustedDevices(client));
  },
};
