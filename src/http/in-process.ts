import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App } from '../app.ts';
import type { Handler } from './handler.ts';
import { securityHeaders } from './headers.ts';
import { sendJson } from './reply.ts';
import { refuse } from './websocket.ts';

/** What still runs when it is closed may take so long. */
const DRAIN_MS = 4_000;

/** A handler in a program whose server it does not own. */
export interface InProcess extends Pick<Handler, 'upgrade' | 'knows'> {
  handler(request: IncomingMessage, response: ServerResponse, next?: () => void): void;
  /** Finishes what runs; refuses what comes later. */
  drain(): Promise<void>;
}

/** The server goes on without Postern, so this one counts what runs, and refuses once it is closed. */
export function createInProcess(handler: Handler, { config, log }: Pick<App, 'config' | 'log'>): InProcess {
  const running = new Set<ServerResponse>();
  let isClosed = false;
  let onIdle = () => {};
  const head = [...securityHeaders(config.publicUrl)].flat();
  const fail = (response: ServerResponse, status: number, message: string) =>
    sendJson(response, status, [...head, 'Retry-After', '1'], {
      errors: [{ message, extensions: { code: 'UNAVAILABLE' } }],
    });

  return {
    knows: handler.knows,
    handler(request, response, next) {
      if (next && !handler.knows(request.url)) return next();
      if (isClosed) return fail(response, 503, 'Postern is closed.');
      if (request.readableDidRead) {
        log.error('something has read the body of a request before Postern: mount Postern before parsers of bodies');
        return fail(response, 500, 'Something went wrong on our side.');
      }
      running.add(response);
      response.once('close', () => {
        running.delete(response);
        if (running.size === 0) onIdle();
      });
      handler.request(request, response);
    },
    upgrade(request, connection, head) {
      if (isClosed) refuse(connection, 503, config.publicUrl);
      else handler.upgrade(request, connection, head);
    },
    async drain() {
      await handler.drain();
      isClosed = true;
      if (running.size === 0) return;
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, DRAIN_MS);
        onIdle = () => {
          clearTimeout(late);
          resolve();
        };
      });
    },
  };
}
