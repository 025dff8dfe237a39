import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Stands before a gateway, under its public URL: counts what comes, and fails on demand. */
export interface Front {
  readonly url: string;
  /** How often each path was asked for. */
  readonly counts: Map<string, number>;
  /** The paths and bodies that came. */
  readonly seen: string[];
  /** Answers itself instead of the gateway; null hands on again. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | null;
  /** Hands requests on to this URL. */
  before(url: string): void;
  count(path: string): number;
  close(): Promise<void>;
}

export async function openFront(): Promise<Front> {
  let behind = '';
  const counts = new Map<string, number>();
  const seen: string[] = [];
  const server = createServer(async (request, response) => {
    const path = request.url ?? '';
    counts.set(path, (counts.get(path) ?? 0) + 1);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    seen.push(`${path} ${body}`);
    if (front.answer) return front.answer(request, response);
    const { authorization = '', 'content-type': type = '' } = request.headers;
    const headers = { authorization, ...(type ? { 'content-type': type } : {}) };
    const answer = await fetch(behind + path, {
      method: request.method ?? 'GET',
      headers,
      ...(body.length > 0 ? { body } : {}),
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    response.end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const front: Front = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    seen,
    answer: null,
    before(url) {
      behind = url;
    },
    count: (path) => counts.get(path) ?? 0,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return front;
}
