import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where a browser is; null if there is none: it comes with the system, not with npm. */
export function findBrowser(): string | null {
  const found = PLACES.find((place) => existsSync(place)) ?? null;
  if (!found && process.env.POSTERN_TEST_BROWSER === 'required')
    throw new Error(`there is no browser at ${PLACES.join(', ')}`);
  if (!found)
    process.stderr.write('\nNOT RUN: the tests with a browser, which is not installed (apt-get install chromium)\n\n');
  return found;
}

/**
 * Starts a browser. It asks nobody but the pages of a test.
 * @param hosts who is asked in the place of whom, such as `MAP localhost:4000 127.0.0.1:40123`
 */
export function launchBrowser(executablePath: string, hosts = ''): Promise<Browser> {
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      ...['--disable-component-update', '--disable-sync', `--host-resolver-rules=${hosts}`],
    ],
  });
}

/** A server of pages, as an app has one: on a port, and so an origin, of its own. */
export interface PageServer {
  readonly origin: string;
  close(): Promise<void>;
}

export async function servePage(html: string): Promise<PageServer> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(html);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
