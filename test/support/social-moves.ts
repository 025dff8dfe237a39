import { ADD_EMAIL } from './account.ts';
import type { Answer } from './client.ts';
import { CONTINUE_LOGIN, RESEND_CODE, VERIFY_EMAIL } from './people.ts';
import type { ModelClient } from './pipeline.ts';
import type { FlowPurpose, Identity } from './pipeline-social.ts';
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

type Flow = Play['model']['flows']['all'][number];

const BEGIN = { LOG_IN: BEGIN_PROVIDER_LOGIN, CONNECT: BEGIN_PROVIDER_CONNECTION };
const COMPLETE = { LOG_IN: COMPLETE_PROVIDER_LOGIN, CONNECT: COMPLETE_PROVIDER_CONNECTION };

/** Begins, and takes the browser to the provider and back. Null if there is nothing to be begun. */
async function travel(
  play: Play,
  client: ModelClient,
  purpose: FlowPurpose,
  /** Who is logged in there; null says no. */
  identity: Identity | null,
): Promise<Flow | null> {
  const input = { provider: 'acme', redirectUrl: REDIRECT_URL };
  const { result } = await play.send(client, BEGIN[purpose], { input }, () =>
    play.model.beginAtProvider(client, purpose),
  );
  const flow = play.model.flows.all.at(-1);
  if (result.__typename !== 'ProviderRedirect' || !flow) return null;
  play.provider.person = claimsOf(identity);
  play.provider.bend = identity ? {} : { redirect: sayNo };
  const code = codeOf(await goAndReturn(play.gateway, play.provider, flow));
  play.provider.bend = {};
  flow.returned = { identity, code };
  return flow;
}

function claimsOf(identity: Identity | null): Play['provider']['person'] {
  const { subject: sub, email = null, verified } = identity ?? { subject: 'nobody' };
  return { sub, ...(email === null ? {} : { email, email_verified: verified }) };
}

function sayNo(parameters: URLSearchParams): void {
  parameters.delete('code');
  parameters.set('error', 'access_denied');
}

function complete(play: Play, client: ModelClient, purpose: FlowPurpose, { flowToken, code }: Shown): Promise<Answer> {
  const input = { flowToken, code };
  // The provider says the rest of whoever is there now.
  const flow = play.model.flows.all.find((each) => each.flowToken === flowToken);
  play.provider.person = claimsOf(flow?.returned?.identity ?? null);
  return play.send(client, COMPLETE[purpose], { input }, () =>
    purpose === 'LOG_IN'
      ? play.model.completeProviderLogin(client, input)
      : play.model.completeConnection(client, input),
  );
}

/** All the way, and sometimes once more, as whoever saw the address bar would. */
async function goAllTheWay(
  play: Play,
  client: ModelClient,
  purpose: FlowPurpose,
  identity: Identity,
  twice: boolean,
): Promise<void> {
  const flow = await travel(play, client, purpose, identity);
  if (!flow) return;
  await complete(play, client, purpose, shownOf(flow));
  if (twice) await complete(play, client, purpose, shownOf(flow));
}

function shownOf({ flowToken, returned }: Flow): Shown {
  return { flowToken, code: returned?.code ?? '' };
}

/** Mostly somebody who is signed in and has one to lose. */
function connectedClient(play: Play, choice: Choice): ModelClient {
  const connected = play.model.clients.filter(
    ({ session }) => session && play.model.isAlive(session) && session.account.connections.size > 0,
  );
  return (choice.pick < 7 && pickFrom(connected, choice.who)) || holderOf(play, choice);
}

async function disconnect(play: Play, client: ModelClient, identity: Identity): Promise<void> {
  const [row] = await play.gateway.sql<{ id: string }>('SELECT id FROM social_connections WHERE subject = $1', [
    identity.subject,
  ]);
  await play.send(client, DISCONNECT_PROVIDER, { input: { id: row?.id ?? NOBODYS } }, () =>
    play.model.disconnectProvider(client, identity),
  );
}

interface Shown {
  readonly flowToken: string;
  readonly code: string;
}

/** What people do with their accounts at a provider. */
export const SOCIAL_MOVES: Readonly<Record<string, Move>> = {
  async logInWithProvider(play, choice) {
    const client = clientOf(play, choice);
    await goAllTheWay(play, client, 'LOG_IN', identityOf(play, client, choice), choice.pick < 2);
  },
  /** With one of theirs; or with one that is another account's, if there is any. */
  async connectProvider(play, choice) {
    const client = holderOf(play, choice);
    const elsewhere = play.model.accounts.filter((each) => !each.gone && each !== client.session?.account);
    const taken = play.model.identities.filter(({ subject }) =>
      elsewhere.some(({ connections }) => connections.has(subject)),
    );
    const identity = (choice.pick > 5 && pickFrom(taken, choice.which)) || identityOf(play, client, choice);
    await goAllTheWay(play, client, 'CONNECT', identity, choice.pick < 2);
  },
  /** Something is wrong, at first: the code, the purpose, the client, or the time that it took. */
  async comeBackWrongly(play, choice) {
    const purpose = choice.pick % 2 === 0 ? 'LOG_IN' : 'CONNECT';
    const client = purpose === 'LOG_IN' ? clientOf(play, choice) : holderOf(play, choice);
    const flow = await travel(play, client, purpose, identityOf(play, client, choice));
    if (!flow) return;
    const signedIn = play.model.clients.filter(({ session }) => session && play.model.isAlive(session));
    const another = pickFrom(
      signedIn.filter((each) => each !== client),
      choice.who,
    );
    const code = play.model.flows.all.find((each) => each !== flow && each.returned?.code)?.returned?.code ?? '';
    const wrong = purpose === 'CONNECT' && another && choice.pick < 6 ? 3 : choice.other % 4;
    if (wrong === 0) await complete(play, client, purpose, { ...shownOf(flow), code });
    if (wrong === 1) play.wait(601_000);
    if (wrong === 2) await complete(play, client, purpose === 'LOG_IN' ? 'CONNECT' : 'LOG_IN', shownOf(flow));
    if (wrong === 3 && another) await complete(play, another, purpose, shownOf(flow));
    await complete(play, client, purpose, shownOf(flow));
  },
  /** There and back, and no further for now: by themselves, by somebody whom they sent there, or in vain. */
  async goToProvider(play, choice) {
    const purpose = choice.other % 2 === 0 ? 'LOG_IN' : 'CONNECT';
    const client = purpose === 'LOG_IN' ? clientOf(play, choice) : holderOf(play, choice);
    const identity =
      choice.pick < 8
        ? identityOf(play, client, choice)
        : pickFrom(play.model.identities, choice.which, play.model.identities.length);
    await travel(play, client, purpose, choice.pick === 7 ? null : (identity ?? null));
  },
  /** Whoever has come back is taken on: mostly what is open, by who began it. */
  async comeBackFromProvider(play, choice) {
    const { all } = play.model.flows;
    const begun = pickFrom(choice.pick < 7 ? all.filter(({ used }) => !used) : all, choice.which);
    const isOwn = ({ person, session }: ModelClient) =>
      begun?.session ? session === begun.session : person === begun?.person;
    const client = (choice.pick < 8 && play.model.clients.find(isOwn)) || clientOf(play, choice);
    const elsewhere = pickFrom(all, choice.other)?.returned?.code ?? '';
    const code = (choice.other % 4 > 0 && begun?.returned?.code) || elsewhere;
    const purpose = choice.pick === 9 ? 'LOG_IN' : (begun?.purpose ?? 'CONNECT');
    await complete(play, client, purpose, { flowToken: begun?.flowToken || `pf_${'A'.repeat(43)}`, code });
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
      const right = play.model.standsAt(loginToken)?.links?.password;
      const known = choice.pick < 7 && client.passwords.find((each) => each === right);
      const password = known || passwordOf(client, choice.which);
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
  /** By an account at the provider into the one that has its address, as far as the proof of that goes. */
  async comeLinked(play, choice) {
    await SOCIAL_MOVES.logInWithProvider?.(play, { ...choice, which: 0, pick: 3 });
    await play.settle();
    play.gateway.clock.advance(1_000);
    await SOCIAL_MOVES.linkAccount?.(play, { ...choice, which: 0, pick: choice.pick % 8 });
  },
  /** Somebody comes by one, and wants to be rid of it. */
  async comeAndDisconnect(play, choice) {
    await SOCIAL_MOVES.logInWithProvider?.(play, { ...choice, pick: 3 });
    await play.settle();
    play.gateway.clock.advance(1_000);
    await SOCIAL_MOVES.disconnectProvider?.(play, { ...choice, pick: choice.pick % 8 });
  },
  /** Somebody comes by one that its owner takes away meanwhile. */
  async disconnectAtLogin(play, choice) {
    const client = connectedClient(play, choice);
    const subject = [...(client.session?.account.connections ?? [])].at(-1);
    const identity = play.model.identities.find((each) => each.subject === subject);
    const other = play.model.clients[(client.index + 2) % play.model.clients.length];
    if (!identity || !other) return;
    await goAllTheWay(play, other, 'LOG_IN', identity, false);
    await play.settle();
    const loginToken = play.model.handles.findLast(({ handle }) => play.model.standsAt(handle))?.handle ?? '';
    await disconnect(play, client, identity);
    await play.settle();
    await play.send(other, CONTINUE_LOGIN, { input: { loginToken } }, () =>
      play.model.continueLogin(other, loginToken),
    );
  },
  /** Somebody comes with an address that is not theirs, adds that of another person, and this one presses the link. */
  async tempt(play, choice) {
    const client = clientOf(play, choice);
    await SOCIAL_MOVES.logInWithProvider?.(play, { ...choice, pick: 3 });
    await play.settle();
    const email = addressOf(play, client, 8 + (choice.other % 4));
    await play.send(client, ADD_EMAIL, { input: { email } }, () => play.model.addEmail(client, email));
    await play.settle();
    const letter = play.model.letters.findLast(({ to, token }) => to === email && token !== '');
    const reader = play.model.clients.find((each) => play.model.reads(each, email));
    if (!letter || !reader) return;
    const proof = { token: letter.token };
    await play.send(reader, VERIFY_EMAIL, { input: { proof, loginToken: null } }, () =>
      play.model.verifyEmail(reader, proof, null),
    );
  },
  /** By one account at the provider in two places: in the second one, with somebody's address, when the first is through. */
  async signUpTwice(play, choice) {
    const client = clientOf(play, choice);
    const silent = play.model.identities.find(({ email }) => email === null);
    if (!silent) return;
    const tokens: string[] = [];
    for (const _ of [1, 2]) {
      await goAllTheWay(play, client, 'LOG_IN', silent, false);
      await play.settle();
      tokens.push(play.model.handles.findLast(({ handle }) => play.model.standsAt(handle))?.handle ?? '');
    }
    for (const [n, loginToken] of tokens.entries()) {
      const email = addressOf(play, client, n === 0 ? choice.which : choice.other);
      await play.send(client, COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken, email } }, () =>
        play.model.completeProviderSignUp(client, loginToken, email),
      );
      await play.settle();
    }
  },
  async disconnectProvider(play, choice) {
    const client = connectedClient(play, choice);
    const own = [...(client.session?.account.connections ?? [])];
    const subject = choice.pick < 8 ? pickFrom(own, choice.which) : undefined;
    const identity =
      play.model.identities.find((each) => each.subject === subject) ??
      pickFrom(play.model.identities, choice.which, play.model.identities.length);
    if (!identity) return;
    await disconnect(play, client, identity);
  },
};
