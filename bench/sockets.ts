import WebSocket from 'ws';
import { answer } from './messages.ts';

/** Who a socket belongs to, and where it comes from. */
export interface Holder {
  readonly token: string;
  readonly address: string;
}

/** What is done with many sockets. */
export type SocketTask =
  /** Opens one for each, and subscribes; answered once all were told something. */
  | { readonly kind: 'open'; readonly port: number; readonly holders: readonly Holder[]; readonly query: string }
  /** Waits until each of those that are open was told something more. */
  | { readonly kind: 'hear' }
  | { readonly kind: 'close' };

/** When what was waited for came to each, in milliseconds since the epoch. */
export type Instants = readonly number[];

const AT_ONCE = 64;
const now = () => performance.timeOrigin + performance.now();

interface Open {
  readonly socket: WebSocket;
  /** Resolves at the next thing that is told. */
  next: Promise<number>;
}

let all: Open[] = [];

async function work(task: SocketTask): Promise<Instants> {
  if (task.kind === 'hear') return Promise.all(all.map(({ next }) => next));
  if (task.kind === 'close') {
    for (const { socket } of all) socket.terminate();
    all = [];
    return [];
  }
  const due = [...task.holders];
  const opener = async () => {
    for (let holder = due.pop(); holder; holder = due.pop()) all.push(await open(task, holder));
  };
  const first = all.length;
  await Promise.all(Array.from({ length: AT_ONCE }, opener));
  return all.slice(first).map(now);
}

/** Opens one, subscribes to its session as well, and waits until that was told: then the other subscription is there too. */
function open({ port, query }: { port: number; query: string }, { token, address }: Holder): Promise<Open> {
  const headers = { 'x-forwarded-for': address };
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', { headers });
  const say = (message: object) => socket.send(JSON.stringify(message));
  const opened: { next: Promise<number> } = { next: Promise.resolve(0) };
  let tell: (at: number) => void = () => undefined;
  const renew = () => {
    opened.next = new Promise((resolve) => {
      tell = resolve;
    });
  };
  return new Promise((resolve, reject) => {
    socket.on('open', () => say({ type: 'connection_init', payload: { token } }));
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`a socket was closed with ${code}`)));
    socket.on('message', (data) => {
      const text = String(data);
      if (text.startsWith('{"type":"connection_ack"')) {
        say({ type: 'subscribe', id: 'events', payload: { query } });
        say({ type: 'subscribe', id: 'here', payload: { query: 'subscription { currentSession { __typename } }' } });
      } else if (text.includes('"id":"here"')) {
        renew();
        say({ type: 'complete', id: 'here' });
        resolve(Object.assign(opened, { socket }));
      } else if (text.includes('"type":"next"')) {
        tell(now());
        renew();
      }
    });
  });
}

answer(work);
