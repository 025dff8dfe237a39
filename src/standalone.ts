import type { Config, Environment } from './config.ts';
import { configurationOf, createGateway, type Postern, type PosternOptions } from './create-postern.ts';
import { listen } from './http/server.ts';

/** A gateway with a server of its own. */
export interface StandalonePostern extends Postern {
  /** Where it listens. */
  readonly url: string;
}

/**
 * Starts a gateway that listens by itself, at HOST and PORT.
 * @throws as createPostern does, and an Error with a message for the operator if it cannot listen
 */
export async function startPostern(
  options: PosternOptions & { readonly settings: Environment },
): Promise<StandalonePostern> {
  const { settings } = options;
  const asked = configurationOf(options);
  const server = await listen(asked.host, asked.port).catch((error: unknown) => explainListening(error, asked));
  try {
    // A port that the system chose is part of the default public URL.
    const { postern, handler } = await createGateway({
      ...options,
      settings: { ...settings, PORT: String(server.port) },
    });
    server.serve(handler);
    return {
      ...postern,
      url: `http://${urlHost(asked.host)}:${server.port}`,
      async close() {
        await server.drain();
        await postern.close();
      },
    };
  } catch (error) {
    await server.drain();
    throw error;
  }
}

function explainListening(error: unknown, { host, port }: Config): never {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    throw new Error(
      `Port ${port} is taken. Choose another with PORT, such as PORT=${port + 1}, or PORT=0 for a free one.`,
    );
  if (code === 'EACCES') throw new Error(`Port ${port} may not be used by this user. Choose one above 1023 with PORT.`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    throw new Error(`${host} is not an address of this machine. Choose another with HOST.`);
  throw error;
}

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
