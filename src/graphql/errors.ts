import { GraphQLError } from 'graphql';

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
  if (message === error.message) return error;
  return new GraphQLError(message, {
    ...(error.nodes ? { nodes: error.nodes } : {}),
    ...(error.path ? { path: error.path } : {}),
    extensions: { ...badInput(error.message), ...error.extensions },
  });
}

// A GraphQLError that a resolver throws on purpose, or that the engine makes, has no other error behind it.
function faultBehind(error: GraphQLError): Error | null {
  const original = error.originalError;
  if (!(error instanceof GraphQLError)) return error as Error;
  return original && !(original instanceof GraphQLError) ? original : null;
}

function withoutQuotes(message: string): string {
  return message
    .replace(/ ?Did you mean [\s\S]*$/, '')
    .replace(/^(Variable "\$\w+") got invalid value [\s\S]*$/, '$1 has a value of another form than its type.')
    .replace(
      /^(Argument "\w+"|Expected value of type "[^"]+"|\w+ cannot represent)[\s\S]*(?:invalid value|found|value:)[\s\S]*$/,
      '$1: the value has another form than its type.',
    )
    .trim();
}

function badInput(message: string) {
  return message.startsWith('Variable ') ? { code: 'BAD_USER_INPUT', http: { status: 400 } } : {};
}
