/** What an error says, in one line. Errors of connections may have an empty message, and a cause that says it. */
export function reasonOf(error: unknown): string {
  const { message = '', code, cause } = error as { message?: string; code?: unknown; cause?: unknown };
  const said = message.split('\n')[0]?.trim() ?? '';
  const deeper = cause instanceof Error ? reasonOf(cause) : '';
  const parts = [said || String(code ?? error), deeper].filter((part) => part !== '' && part !== 'fetch failed');
  return [...new Set(parts)].join(': ');
}
