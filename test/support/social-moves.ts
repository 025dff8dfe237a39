import { RESEND_CODE } from './people.ts';
import type { ModelClient } from './pipeline.ts';
import {
  addressOf,
  type Choice,
  clientOf,
  codeFor,
  handleOf,
  holderOf,
  type Move,
  type Play,
  passwordOf,
  pickFrom,
} from './play.ts';
import {
  BEGIN_PROVIDER_CONNECTION,
  BEGIN_PROVIDER_LOGIN,
  COMPLETE_PROVIDER_CONNECTION,
  COMPLETE_PROVIDER_LOGIN,
  COMPLETE_PROVIDER_SIGN_UP,
  codeOf,
  DISCONNECT_PROVIDER,
  goAndReturn,
  LINK_ACCOUNT,
  REDIRECT_URL,
} from './social.ts';

const NOBODYS = '00000000-0000-4000-8000-000000000000';

/** An account at the provider: one of theirs, since nobody else gets in there. */
function identityOf({ model }: Play, { person }: ModelClient, { which }: Choice) {
  const own = model.identities.filter((each) => each.person === person);
  const identity = own[which % own.length];
  if (!identity) throw new Error('everybody has an account at the provider');
  return identity;
}

/** Takes the browser to the provider and back. */
async function travel(play: Play, identity: ReturnType<typeof identityOf>, url: unknown): Promise<string> {
  const { subject: sub, email, verified } = identity;
  play.provider.person = { sub, ...(email === null ? {} : { email, email_verified: verified }) };
  return codeOf(await goAndReturn(play.gateway, play.provider, { flowToken: '', url: String(url) }));
}

/** What people do with their accounts at a provider. */
export const SOCIAL_MOVES: Readonly<Record<string, Move>> = {
  async logInWithProvider(play, choice) {
    const client = clientOf(play, choice);
    const identity = identityOf(play, client, choice);
    const begin = { provider: 'acme', redirectUrl: REDIRECT_URL };
    const { result } = await play.gateway.client().send(BEGIN_PROVIDER_LOGIN, { input: begin });
    const input = { flowToken: result.flowToken, code: await travel(play, identity, result.url) };
    await play.send(client, COMPLETE_PROVIDER_LOGIN, { input }, () =>
      play.model.completeProviderLogin(client, identity),
    );
    // Once more, by whoever saw the address bar: it is over.
    if (choice.pick < 2)
      await play.send(client, COMPLETE_PROVIDER_LOGIN, { input }, () => play.model.replayed('LoginExpired'));
  },
  async completeProviderSignUp(play, choice) {
    const client = clientOf(play, choice);
    const loginToken = handleOf(play, client, choice, [null]);
    const email = choice.other % 3 === 0 ? null : addressOf(play, client, choice.other);
    await play.send(client, COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken, email } }, () =>
      play.model.completeProviderSignUp(client, loginToken, email),
    );
  },
  async linkAccount(play, choice) {
    const client = clientOf(play, choice);
    const loginToken = handleOf(play, client, choice, ['LINK_ACCOUNT']);
    if (choice.other % 2 === 0) {
      const password = passwordOf(client, choice.which);
      await play.send(client, LINK_ACCOUNT, { input: { loginToken, proof: { password } } }, () =>
        play.model.linkAccountByPassword(client, loginToken, password),
      );
      return;
    }
    if (play.model.awaits(loginToken) === 'LINK_ACCOUNT' && !play.model.codeOf(loginToken)) {
      await play.send(client, RESEND_CODE, { input: { handle: loginToken } }, () => play.model.resendCode(loginToken));
      await play.settle();
    }
    const emailCode = codeFor(play, client, loginToken, choice);
    await play.send(client, LINK_ACCOUNT, { input: { loginToken, proof: { emailCode } } }, () =>
      play.model.linkAccountByCode(client, loginToken, emailCode),
    );
  },
  async connectProvider(play, choice) {
    const client = holderOf(play, choice);
    const identity = identityOf(play, client, choice);
    const begin = { provider: 'acme', redirectUrl: REDIRECT_URL };
    const { result } = await play.send(client, BEGIN_PROVIDER_CONNECTION, { input: begin }, () =>
      play.model.beginConnection(client),
    );
    if (result.__typename !== 'ProviderRedirect') return;
    const input = { flowToken: result.flowToken, code: await travel(play, identity, result.url) };
    await play.send(client, COMPLETE_PROVIDER_CONNECTION, { input }, () =>
      play.model.completeConnection(client, identity),
    );
    if (choice.pick < 2)
      await play.send(client, COMPLETE_PROVIDER_CONNECTION, { input }, () => play.model.replayed('InvalidToken'));
  },
  async disconnectProvider(play, choice) {
    const client = holderOf(play, choice);
    const own = [...(client.session?.account.connections ?? [])];
    const subject = choice.pick < 8 ? pickFrom(own, choice.which) : undefined;
    const identity =
      play.model.identities.find((each) => each.subject === subject) ??
      pickFrom(play.model.identities, choice.which, play.model.identities.length);
    if (!identity) return;
    const [row] = await play.gateway.sql<{ id: string }>('SELECT id FROM social_connections WHERE subject = $1', [
      identity.subject,
    ]);
    await play.send(client, DISCONNECT_PROVIDER, { input: { id: row?.id ?? NOBODYS } }, () =>
      play.model.disconnectProvider(client, identity),
    );
  },
};
