import { GraphQLError } from 'graphql';
import { REFUSAL_CODES } from './request-rules.ts';

/** Codes of errors of ours, which may be shown as they are. */
export const INTERNAL_ERROR = 'INTERNAL_SERVER_ERROR';

/**
 * An error as clients may see it. A fault of ours becomes a number to ask us by. What is wrong with a request is told
 * without quoting it: a value may be a password, and a suggestion would spell out the schema.
 *
 * @param onFault gets what really happened; the answer carries only `id`
 */
export function presentError(error: GraphQLError, id: string, onFault: (fault: Error) => void): GraphQLError {
  const fault = faultBehind(error);
  if (fault) {
    onFault(fault);
    return new GraphQLError('Something went wrong on our side.', {
      ...(error.path ? { path: error.path } : {}),
      extensions: { code: INTERNAL_ERROR, id, http: { status: 500 } },
    });
  }
  const message = withoutQuotes(error.message);
  const status = isRefused(error) ? { http: { status: 400 } } : {};
  if (message === error.message && !isRefused(error)) return error;
  return new GraphQLError(message, {
    ...(error.nodes ? { nodes: error.nodes } : {}),
    ...(error.path ? { path: error.path } : {}),
    extensions: { code: 'BAD_USER_INPUT', ...error.extensions, ...status },
  });
}

// A GraphQLError that the engine makes of a request has no other error behind it; all that a resolver throws, and a
// result that does not fit its type, has.
function faultBehind(error: GraphQLError): Error | null {
  const original = error.originalError;
  if (!(error instanceof GraphQLError)) return error as Error;
  return original && !(original instanceof GraphQLError) ? original : null;
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
  /^(?:Variable "\$\w+" got invalid value|Unknown operation named|Schema is not configured to execute) /;

// Not left to what a client accepts: the specification lets `application/json` hide these behind a 200.
function isRefused({ message, extensions }: GraphQLError): boolean {
  return UNFIT_FOR_ANYBODY.test(message) || REFUSAL_CODES.some((code) => code === extensions.code);
}
