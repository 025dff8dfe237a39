import { KeysUnavailable } from '../lib/access-token.ts';

/** Postern does not answer, or not as Postern does: nobody can say who asks. Nobody must be let in by it. */
export class VerifierUnavailable extends KeysUnavailable {
  override readonly name = 'VerifierUnavailable';
}

const ANSWER_WITHIN_MS = 3_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Asks Postern for JSON, within bounds of time and size. It is not led elsewhere: what is sent is for Postern alone.
 * @returns the text of the answer, and what it says
 * @throws VerifierUnavailable for whatever is no answer
 */
export async function fetchJson(url: string, init: RequestInit = {}): Promise<{ text: string; value: unknown }> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const response = await fetch(url, { ...init, redirect: 'error', signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new VerifierUnavailable(explain(response.status));
    }
    const text = await readBounded(response);
    return { text, value: JSON.parse(text) };
  } catch (error) {
    if (error instanceof VerifierUnavailable) throw error;
    throw new VerifierUnavailable('Postern does not answer', { cause: error });
  }
}

function explain(status: number): string {
  if (status === 401) return 'Postern does not know this service by its id and secret';
  if (status === 404) return 'Postern does not answer there: are the issuer and POSTERN_SERVICES right?';
  return `Postern answers with ${status}`;
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new VerifierUnavailable('the answer of Postern is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
