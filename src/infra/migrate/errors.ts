/** The schema of the database cannot be brought to this version; the message is for the operator. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** Whether Node, PostgreSQL or Prisma names an error by this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** A message of the engine's without its end: the places of its source that it came from. */
export function withoutTrace(message: string): string {
  return message
    .split('\n')
    .filter((line) => !/^\s+(\d+:|with |at )/.test(line))
    .join(' ')
    .trim();
}
