import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionResult,
  execute,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  type OperationTypeNode,
} from 'graphql';
import type { App } from '../app.ts';
import { abortable, type Stream } from '../lib/abortable.ts';
import type { Context, Payload } from './context.ts';
import { createDocumentReader } from './documents.ts';
import { presentError, presentFault } from './errors.ts';
import { schemaWith } from './schema.ts';

/** What a request asks for (GraphQL over HTTP, "Request Parameters"). */
export interface Parameters {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>> | null;
  readonly operationName: string | null;
}

/** How a request came, and how a refusal goes. */
export interface Transport {
  readonly method: 'GET' | 'POST' | 'WEBSOCKET';
  readonly mediaType: MediaType;
}

/** The forms of an answer. With `application/json` only what the specification calls a refusal has a status of one. */
export type MediaType = 'application/json' | 'application/graphql-response+json';

/** An answer, to be written as JSON. */
export interface GraphQLAnswer {
  readonly status: number;
  readonly body: GraphQLBody;
}

export interface GraphQLBody {
  readonly errors?: readonly GraphQLFormattedError[];
  /** Left out if nothing was executed. */
  readonly data?: ExecutionResult['data'] | undefined;
}

/** An operation that was read and may be run. */
export interface Operation {
  readonly type: `${OperationTypeNode}`;
  readonly document: DocumentNode;
  readonly variables: Parameters['variables'];
  readonly operationName: string | null;
}

/** One value of a subscription. */
export interface Told {
  readonly body: GraphQLBody;
  /** Of an event: what a client resumes after. */
  readonly eventId: string | null;
}

/** The GraphQL server: the schema, the rules that each document is held to, and what becomes of errors. */
export interface GraphQLServer {
  readonly schema: GraphQLSchema;
  /** Reads a request; an answer is a refusal. */
  read(parameters: Parameters, transport: Transport): Operation | GraphQLAnswer;
  /** Runs a query or a mutation. */
  answer(operation: Operation, context: Context): Promise<GraphQLAnswer>;
  /** Runs a subscription; an answer is a refusal. The signal of the context of its resolvers ends with it. */
  subscribe(operation: Operation, context: Context): Promise<Stream<Told> | GraphQLAnswer>;
}

/** The engine writes each of them out with the whole value, before it is told without. */
const MAX_COERCION_ERRORS = 3;

export function createGraphQLServer(app: App): GraphQLServer {
  const schema = schemaWith(app.userFields);
  const readDocument = createDocumentReader(schema, app.config.introspection);

  return {
    schema,

    read({ query, variables, operationName }, { method, mediaType }) {
      const { document, errors, unfitForAnybody } = readDocument(query);
      const invalid = { status: unfitForAnybody || mediaType !== 'application/json' ? 400 : 200, body: { errors } };
      if (!document) return invalid;
      const node = getOperationAST(document, operationName);
      if (!node) return refuse(400, 'Could not determine what operation to execute.', 'OPERATION_RESOLUTION_FAILURE');
      if (node.operation === 'mutation' && method === 'GET')
        return refuse(405, 'Can only perform a mutation operation from a POST request.', 'BAD_REQUEST');
      if (errors.length > 0) return invalid;
      return { type: node.operation, document, variables, operationName };
    },

    async answer(operation, context) {
      return presentResult(app, await execute(executionArgs(schema, operation, context)), context.requestId);
    },

    async subscribe(operation, context) {
      const controller = new AbortController();
      const source = await createSourceEventStream(
        executionArgs(schema, operation, { ...context, signal: controller.signal }),
      );
      if (!(Symbol.asyncIterator in source)) {
        const { status, body } = presentResult(app, source, context.requestId);
        return { status: Math.max(status, 400), body };
      }
      return abortable(
        tell({ app, schema }, operation, context, source as AsyncIterable<Payload<unknown>>),
        controller,
      );
    },
  };
}

function executionArgs(schema: GraphQLSchema, { document, variables, operationName }: Operation, context: Context) {
  return {
    schema,
    document,
    contextValue: context,
    variableValues: variables,
    operationName,
    options: { maxCoercionErrors: MAX_COERCION_ERRORS },
  };
}

/** Each value is resolved as if it were asked for at that moment, by whoever is behind the connection then. */
async function* tell(
  { app, schema }: { readonly app: App; readonly schema: GraphQLSchema },
  operation: Operation,
  context: Context,
  source: AsyncIterable<Payload<unknown>>,
): Stream<Told> {
  try {
    for await (const payload of source) {
      const viewer = context.connection?.viewer ?? context.caller.viewer;
      const args = executionArgs(schema, operation, { ...context, caller: { ...context.caller, viewer } });
      const { body } = presentResult(app, await execute({ ...args, rootValue: payload }), context.requestId);
      yield { body, eventId: payload.eventId };
    }
  } catch (fault) {
    // No transport knows what of it may be shown.
    yield { body: { errors: [presentFault(app.log, fault, context.requestId).toJSON()] }, eventId: null };
  }
}

function refuse(status: number, message: string, code: string): GraphQLAnswer {
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
