import WebSocket from 'ws';
import { createVerifier } from '../src/verify/index.ts';
import { Connection, writeRequest } from './http-client.ts';
import { answer } from './messages.ts';
import type { Person } from './operations.ts';

/** What meets what. */
export type Race =
  /** So many tabs of each person show the same refresh token at once, time after time. */
  | {
      readonly kind: 'tabs';
      readonly port: number;
      readonly people: readonly Person[];
      readonly tabs: number;
      readonly atOnce: number;
      readonly rounds: number;
    }
  /** Sessions are revoked at one gateway, while their sockets and requests are at another. */
  | {
      readonly kind: 'revocations';
      readonly at: number;
      readonly elsewhere: number;
      readonly keeper: Person;
      readonly sessions: readonly { readonly id: string; readonly token: string }[];
    }
  /** A service checks one JWT after the other. */
  | { readonly kind: 'verify'; readonly issuer: string; readonly tokens: readonly string[]; readonly seconds: number };

export interface RaceResult {
  readonly seconds: number;
  /** How many checks or refreshes. */
  readonly count: number;
  /** Milliseconds: of each refresh; from each acknowledgement to the closed socket. */
  readonly times: readonly number[];
  /** Milliseconds after each acknowledgement at which a request was accepted for the last time; none before it is 0. */
  readonly acceptedAfter: readonly number[];
  /** Tabs that were logged out, sockets that were told nothing of the end, requests that were accepted after it. */
  readonly wrong: number;
}

async function run(race: Race): Promise<RaceResult> {
  if (race.kind === 'tabs') return raceTabs(race);
  return race.kind === 'verify' ? check(race) : revoke(race);
}

const REFRESH =
  'mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { __typename ... on SessionTokensRefreshed { credential { refreshToken } } } }';

async function raceTabs({ port, people, tabs, atOnce, rounds }: Extract<Race, { kind: 'tabs' }>): Promise<RaceResult> {
  const due = [...people];
  const times: number[] = [];
  let wrong = 0;
  const begun = performance.now();
  const browser = async () => {
    const connections = Array.from({ length: tabs }, () => new Connection(port));
    for (let person = due.pop(); person; person = due.pop()) {
      let token = person.refreshToken ?? '';
      for (let round = 0; round < rounds; round += 1) {
        const body = { query: REFRESH, variables: { input: { refreshToken: token } } };
        const request = writeRequest(body, { 'X-Forwarded-For': person.address });
        const successors = await Promise.all(
          connections.map(async (connection) => {
            const asked = performance.now();
            const reply = await connection.send(request);
            times.push(performance.now() - asked);
            return /"refreshToken":"(\w[^"]*)"/.exec(reply.body)?.[1] ?? '';
          }),
        );
        const [first = ''] = successors;
        wrong += successors.filter((each) => each === '' || each !== first).length;
        token = first;
      }
    }
    for (const connection of connections) connection.close();
  };
  await Promise.all(Array.from({ length: atOnce }, browser));
  return { seconds: (performance.now() - begun) / 1000, count: times.length, times, acceptedAfter: [], wrong };
}

async function check({ issuer, tokens, seconds }: Extract<Race, { kind: 'verify' }>): Promise<RaceResult> {
  const verifier = createVerifier({ issuer });
  for (const token of tokens) {
    if ((await verifier.verify(token)).kind !== 'Identified') throw new Error('a token is not recognised');
  }
  const begun = performance.now();
  let count = 0;
  while (performance.now() - begun < seconds * 1000) {
    for (const token of tokens) await verifier.verify(token);
    count += tokens.length;
  }
  return { seconds: (performance.now() - begun) / 1000, count, times: [], acceptedAfter: [], wrong: 0 };
}

async function revoke(race: Extract<Race, { kind: 'revocations' }>): Promise<RaceResult> {
  const { at, elsewhere, keeper, sessions } = race;
  const [here, there] = [new Connection(at), new Connection(elsewhere)];
  const times: number[] = [];
  const acceptedAfter: number[] = [];
  let wrong = 0;
  const begun = performance.now();
  const sockets = await Promise.all(sessions.map(({ token }, index) => listen(elsewhere, token, `10.99.0.${index}`)));
  for (const [index, { id, token }] of sessions.entries()) {
    const query = `mutation { revokeSession(input: { id: "${id}" }) { __typename } }`;
    const revoked = await here.send(writeRequest({ query }, headersOf(keeper.sessionToken ?? '', keeper.address)));
    const acknowledged = performance.now();
    if (!revoked.body.includes('SessionRevoked')) throw new Error(`not revoked: ${revoked.body}`);
    const request = writeRequest({ query: '{ currentUser { __typename } }' }, headersOf(token, '10.99.1.1'));
    let accepted = 0;
    while ((await there.send(request)).body.includes('"User"')) accepted = performance.now() - acknowledged;
    acceptedAfter.push(accepted);
    const socket = sockets[index];
    times.push(((await socket?.closed) ?? Number.POSITIVE_INFINITY) - acknowledged);
    if (!socket?.last().includes('SessionEnded')) wrong += 1;
    if ((await there.send(request)).body.includes('"User"')) wrong += 1;
  }
  here.close();
  there.close();
  return { seconds: (performance.now() - begun) / 1000, count: sessions.length, times, acceptedAfter, wrong };
}

function headersOf(token: string, address: string): Record<string, string> {
  return { Authorization: `Bearer ${token}`, 'X-Forwarded-For': address };
}

interface Listening {
  readonly closed: Promise<number>;
  /** What was told last. */
  last(): string;
}

function listen(port: number, token: string, address: string): Promise<Listening> {
  const headers = { 'x-forwarded-for': address };
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', { headers });
  const say = (message: object) => socket.send(JSON.stringify(message));
  let last = '';
  const closed = new Promise<number>((resolve) => socket.on('close', () => resolve(performance.now())));
  return new Promise((resolve, reject) => {
    socket.on('open', () => say({ type: 'connection_init', payload: { token } }));
    socket.on('error', reject);
    socket.on('message', (data) => {
      const text = String(data);
      if (text.startsWith('{"type":"connection_ack"')) {
        const events = 'subscription { sessionEvents { __typename ... on SessionEnded { sessionId reason } } }';
        say({ type: 'subscribe', id: 'events', payload: { query: events } });
        say({ type: 'subscribe', id: 'here', payload: { query: 'subscription { currentSession { __typename } }' } });
      } else if (text.includes('"id":"events"') && text.includes('"type":"next"')) last = text;
      else if (text.includes('"id":"here"') && text.includes('"Session"')) resolve({ closed, last: () => last });
    });
  });
}

answer(run);
