import { GraphQLError } from 'graphql';
import type { App } from '../app.ts';
import { HookFailed } from '../lib/hook-failed.ts';
import { REFUSAL_CODES } from './request-rules.ts';

/** Codes of errors of ours, which may be shown as they are. */
export const INTERNAL_ERROR = 'INTERNAL_SERVER_ERROR';

/** Why a request was refused by the one that would have answered it. */
type RefusalCode = 'UNAUTHENTICATED' | 'INVALID_CURSOR' | 'INVALID_PAGE_SIZE' | 'NO_CONNECTION';

/** What a resolver throws for a request that makes no sense, and whose type has no member for that. */
export class InvalidRequest extends GraphQLError {
  constructor(code: RefusalCode, message: string) {
    super(message, { extensions: { code } });
  }
}

/** An error as clients may see it, and the HTTP status it asks for, if any. */
export interface PresentedError {
  readonly error: GraphQLError;
  readonly status: 400 | 500 | 503 | null;
}

/**
 * An error of execution as clients may see it. A fault of ours becomes a number to ask us by.
 *
 * @param onFault gets what really happened; the answer carries only `id`
 */
export function presentError(error: GraphQLError, id: string, onFault: (fault: Error) => void): PresentedError {
  const fault = faultBehind(error);
  if (!fault) return presentRefusal(error);
  onFault(fault);
  return masked(fault, id, error.path);
}

/** A fault that no field of an operation ended in. */
export function presentFault(log: App['log'], fault: unknown, id: string): GraphQLError {
  log.error({ err: fault, requestId: id }, 'an operation failed');
  return masked(fault as Error, id).error;
}

function masked(fault: Error, id: string, path?: GraphQLError['path']): PresentedError {
  const passing = isPassing(fault);
  const error = new GraphQLError('Something went wrong on our side.', {
    ...(path ? { path } : {}),
    extensions: { code: passing ? 'UNAVAILABLE' : INTERNAL_ERROR, id },
  });
  return { error, status: passing ? 503 : 500 };
}

// An operator's hook that did not decide may do so the next time. A database that is away, goes away or does not answer in time: connections fail with codes of the system or of
// PostgreSQL's classes 08 and 57, and pg says in words what it gave up waiting for.
export function isPassing(fault: Error & { code?: string }): boolean {
  const { code = '', message } = fault;
  if (fault instanceof HookFailed) return true;
  return (
    /^(?:ECONN|EPIPE|ETIMEDOUT|EHOST|ENETUNREACH|08|57)/.test(code) || /timeout|Connection terminated/.test(message)
  );
}

/**
 * What is wrong with a request, told without quoting it: a value may be a password, and a suggestion would spell out
 * the schema.
 *
 * @param code of an error that has none of its own
 */
export function presentRefusal(error: GraphQLError, code?: string): PresentedError {
  const message = withoutQuotes(error.message);
  const refused = isRefused(error);
  const status = refused ? 400 : null;
  const changed = message !== error.message || refused;
  if (!changed && (code === undefined || error.extensions.code !== undefined)) return { error, status };
  const presented = new GraphQLError(message, {
    ...(error.nodes ? { nodes: error.nodes } : {}),
    // Where it stands in the text would be lost with an error of syntax, which has no nodes.
    ...(changed ? {} : { source: error.source ?? null, positions: error.positions ?? null }),
    ...(error.path ? { path: error.path } : {}),
    extensions: { code: code ?? 'BAD_USER_INPUT', ...error.extensions },
  });
  return { error: presented, status };
}

// Behind what a field ended in stands the error that ended it. Of those the engine's words on an argument are for the
// client, and are known by pointing into the document; what a resolver throws does not, nor does what is said of a
// result that does not fit its type.
function faultBehind(error: GraphQLError): Error | null {
  const original = error.originalError;
  if (!(error instanceof GraphQLError)) return error as Error;
  if (
    !original ||
    original instanceof InvalidRequest ||
    (original instanceof GraphQLError && (!error.path || original.nodes))
  )
    return null;
  return original;
}

// Each of these says what the engine found, in its own words; what it found may be a password in a wrong place.
const QUOTES: readonly (readonly [RegExp, string])[] = [
  [/ ?Did you mean [\s\S]*$/, ''],
  [/^(Variable "\$\w+") got invalid value [\s\S]*$/, '$1 has a value of another form than its type.'],
  [/^(Argument "\w+") has invalid value [\s\S]*$/, '$1 has a value of another form than its type.'],
  [/^(Expected value of type "[^"]+"), found [\s\S]*$/, '$1, found something else.'],
  [/^((?:\w+|Enum "\w+") cannot represent) [\s\S]*$/, '$1 the value.'],
  [/^Value "[\s\S]*" does not exist in ("\w+" enum\.)$/, 'The value does not exist in $1'],
  [/^Unknown operation named [\s\S]*$/, 'There is no operation of this name.'],
  [/^(Syntax Error: [\s\S]*?\b(?:Name|String|BlockString|Int|Float)) "[\s\S]*$/, '$1.'],
  [/^(Syntax Error: Invalid [^":]*)[":][\s\S]*$/, '$1.'],
];

function withoutQuotes(message: string): string {
  return QUOTES.reduce((text, [quote, instead]) => text.replace(quote, instead), message).trim();
}

const UNFIT_FOR_ANYBODY =
  /^(?:Variable "\$\w+" (?:got invalid value|of (?:required|non-null) type)|Unknown operation named) /;

// Not left to what a client accepts: the specification lets `application/json` hide these behind a 200.
function isRefused({ message, extensions }: GraphQLError): boolean {
  return UNFIT_FOR_ANYBODY.test(message) || REFUSAL_CODES.some((code) => code === extensions.code);
}
