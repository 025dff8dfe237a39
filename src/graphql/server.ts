import {
  type ExecutionResult,
  execute,
  type GraphQLFormattedError,
  getOperationAST,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';
import type { App } from '../app.ts';
import type { Context } from './context.ts';
import { createDocumentReader } from './documents.ts';
import { presentError } from './errors.ts';
import { schema } from './schema.ts';

/** What a request asks for (GraphQL over HTTP, "Request Parameters"). */
export interface Parameters {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>> | null;
  readonly operationName: string | null;
}

/** How a request came, and how its answer goes. */
export interface Transport {
  readonly method: 'GET' | 'POST';
  readonly mediaType: MediaType;
}

/** The forms of an answer. With `application/json` only what the specification calls a refusal has a status of one. */
export type MediaType = 'application/json' | 'application/graphql-response+json';

/** An answer, to be written as JSON. */
export interface GraphQLAnswer {
  readonly status: number;
  readonly body: {
    readonly errors?: readonly GraphQLFormattedError[];
    /** Left out if nothing was executed. */
    readonly data?: ExecutionResult['data'] | undefined;
  };
}

/** Answers one request. */
export type GraphQLServer = (parameters: Parameters, transport: Transport, context: Context) => Promise<GraphQLAnswer>;

/** The engine writes each of them out with the whole value, before it is told without. */
const MAX_COERCION_ERRORS = 3;

/** The GraphQL server: the schema, the rules that each document is held to, and what becomes of errors. */
export function createGraphQLServer(app: App): GraphQLServer {
  const read = createDocumentReader(app.config.introspection);

  return async ({ query, variables, operationName }, { method, mediaType }, context) => {
    const { document, errors, unfitForAnybody } = read(query);
    const invalid = { status: unfitForAnybody || mediaType !== 'application/json' ? 400 : 200, body: { errors } };
    if (!document) return invalid;
    const refusal = refuseOperation(getOperationAST(document, operationName), method);
    if (refusal) return refusal;
    if (errors.length > 0) return invalid;

    const result = await execute({
      schema,
      document,
      contextValue: context,
      variableValues: variables,
      operationName,
      options: { maxCoercionErrors: MAX_COERCION_ERRORS },
    });
    return presentResult(app, result, context.requestId);
  };
}

/** What speaks against an operation before anybody looks at its fields. */
function refuseOperation(
  operation: OperationDefinitionNode | null | undefined,
  method: Transport['method'],
): GraphQLAnswer | null {
  if (!operation) return refusal(400, 'Could not determine what operation to execute.', 'OPERATION_RESOLUTION_FAILURE');
  if (operation.operation === OperationTypeNode.SUBSCRIPTION)
    return refusal(400, 'There are no subscriptions.', 'OPERATION_RESOLUTION_FAILURE');
  if (operation.operation === OperationTypeNode.MUTATION && method === 'GET')
    return refusal(405, 'Can only perform a mutation operation from a POST request.', 'BAD_REQUEST');
  return null;
}

function refusal(status: number, message: string, code: string): GraphQLAnswer {
  return { status, body: { errors: [{ message, extensions: { code } }] } };
}

/** Every error of execution passes here on its way out. */
function presentResult(app: App, { errors, data }: ExecutionResult, requestId: string): GraphQLAnswer {
  if (!errors) return { status: 200, body: { data } };
  const presented = errors.map((error) =>
    presentError(error, requestId, (fault) => app.log.error({ err: fault, requestId }, 'a resolver failed')),
  );
  return {
    status: Math.max(...presented.map(({ status }) => status ?? 200)),
    body: { errors: presented.map(({ error }) => error.toJSON()), data },
  };
}
