import { type ExecutionArgs, GraphQLError, type GraphQLFormattedError } from 'graphql';
import { CloseCode, makeServer, type Server, type Context as SocketContext, type SubscribePayload } from 'graphql-ws';
import type { App } from '../app.ts';
import type { PresentedCredential } from '../flows/shared/authenticate.ts';
import { type Connection, openConnection } from '../flows/shared/connection.ts';
import type { Caller } from '../flows/shared/outcomes.ts';
import { type Context, NO_COOKIES } from '../graphql/context.ts';
import { presentFault } from '../graphql/errors.ts';
import { givesOutCredentials } from '../graphql/over-socket.ts';
import type { GraphQLServer, Operation } from '../graphql/server.ts';
import type { Caps } from './caps.ts';
import { isObject, readParameters } from './parameters.ts';

/** A socket, as far as the protocol cares. */
export interface Socket {
  readonly requestId: string;
  readonly client: Caller['client'];
  /** What the upgrade request carried. */
  readonly credential: PresentedCredential | null;
  readonly isOpen: () => boolean;
  close(code: number, reason: string): void;
  /** Once it was acknowledged. */
  connection: Connection | null;
  /** Undone when it closes. */
  leave: (() => void) | null;
  /** Operations that run. */
  running: number;
}

/** Operations that one socket may run at once, its subscriptions among them. */
const MAX_OPERATIONS = 20;
const INIT_WITHIN_MS = 3_000;
/** The last things that are told before a socket closes have so long. */
const LAST_WORDS_MS = 500;
/** RFC 6455 §7.4.1, as IANA has it: what clients come back after. */
export const TRY_AGAIN_LATER = 1013;
/** What a socket is closed with that asks for more than it may have. The protocol has this one code for "too many". */
const TOO_MANY = CloseCode.TooManyInitialisationRequests;

type Ctx = SocketContext<Record<string, unknown> | undefined, Socket>;
type Args = ExecutionArgs & { readonly socket: Socket; readonly operation: Operation; readonly context: Context };

/**
 * The graphql-transport-ws protocol. Behind it stands the same server as behind HTTP: the same viewer, rules and limits.
 * Only what hands out credentials does not go over it.
 */
export function createSocketProtocol(app: App, graphql: GraphQLServer, caps: Caps): Server<Socket> {
  return makeServer<Record<string, unknown> | undefined, Socket>({
    connectionInitWaitTimeout: INIT_WITHIN_MS,

    async onConnect({ extra: socket, connectionParams }: Ctx) {
      const credential = credentialOf(socket, connectionParams);
      if (!credential) {
        socket.close(CloseCode.Forbidden, socket.credential ? 'TOO_MANY_CREDENTIALS' : 'NO_CREDENTIAL');
        return false;
      }
      const opened = await openConnection(app, credential, socket.client, () => closeAfterLastWords(socket));
      if ('kind' in opened) {
        socket.close(CloseCode.Forbidden, opened.reason);
        return false;
      }
      const leave = socket.isOpen() ? caps.enter('connectionsPerAccount', opened.viewer.user.id) : null;
      if (!leave) {
        opened.close();
        socket.close(TOO_MANY, 'Too many connections');
        return false;
      }
      socket.connection = opened;
      socket.leave = () => {
        leave();
        opened.close();
      };
      return true;
    },

    async onSubscribe({ extra: socket, subscriptions }: Ctx, _id, payload) {
      if (Object.keys(subscriptions).length > MAX_OPERATIONS) {
        socket.close(TOO_MANY, 'Too many operations');
        return refused('Too many operations.', 'LIMIT_EXCEEDED');
      }
      const operation = readOperation(graphql, payload);
      if (Array.isArray(operation)) return operation;
      const args = await prepare(app, graphql, socket, operation).catch((error: unknown) =>
        presentFault(app.log, error, socket.requestId),
      );
      return args instanceof GraphQLError ? [args] : args;
    },

    execute: (args) => begin(args as Args, graphql.answer),
    subscribe: (args) => begin(args as Args, graphql.subscribe),
    // Both an answer and a value of a subscription have a body, which is ready to be written.
    onNext: (_ctx, _id, _payload, _args, result) => (result as { readonly body: object }).body,
    onComplete: ({ extra: socket }) => finish(socket),
    onClose({ extra: socket }) {
      socket.leave?.();
    },
  });
}

/**
 * Whether a message is no `connection_init` of the only form that there is: without a payload or with an empty one, for
 * what the upgrade request carried, or with exactly `{ "token": "…" }`.
 */
export function isMalformedInit(text: string): boolean {
  const message = parse(text);
  if (!isObject(message) || message.type !== 'connection_init' || message.payload === undefined) return false;
  if (!isObject(message.payload)) return true;
  const names = Object.keys(message.payload);
  return (
    names.length > 1 || names.some((name) => name !== 'token') || typeof (message.payload.token ?? '') !== 'string'
  );
}

// A socket that shows two credentials is refused like a request that does.
function credentialOf({ credential }: Socket, params: Ctx['connectionParams']): PresentedCredential | null {
  if (params?.token === undefined) return credential;
  return credential ? null : { from: 'bearer', value: String(params.token) };
}

function readOperation(graphql: GraphQLServer, payload: SubscribePayload): Operation | GraphQLError[] {
  const parameters = readParameters(payload);
  if (!parameters) return refused('The payload is not a GraphQL request.', 'BAD_REQUEST');
  const operation = graphql.read(parameters, { method: 'WEBSOCKET', mediaType: 'application/graphql-response+json' });
  if ('status' in operation) return (operation.body.errors ?? []).map(asError);
  if (operation.type === 'mutation' && givesOutCredentials(operation))
    return refused('This may hand out a credential, and goes over HTTP.', 'HTTP_ONLY');
  return operation;
}

async function prepare(
  app: App,
  { schema }: GraphQLServer,
  socket: Socket,
  operation: Operation,
): Promise<Args | GraphQLError[]> {
  const { connection, client, requestId } = socket;
  await connection?.check();
  if (!connection || connection.over) return refused('You are not signed in.', 'UNAUTHENTICATED');
  const caller = { viewer: connection.viewer, client, trustedDeviceToken: null };
  const context = { app, requestId, caller, answer: NO_COOKIES, connection, lastEventId: null, signal: null };
  const { document, operationName, variables } = operation;
  const args = { schema, document, operationName, variableValues: variables, contextValue: context };
  return { ...args, socket, operation, context };
}

/** An operation runs from here until its last message. */
async function begin(
  { socket, operation, context }: Args,
  run: (operation: Operation, context: Context) => Promise<object>,
): Promise<object> {
  socket.running += 1;
  try {
    return await run(operation, context);
  } catch (fault) {
    finish(socket);
    throw fault;
  }
}

function finish(socket: Socket): void {
  socket.running -= 1;
  if (socket.running === 0 && socket.connection?.over) closeAfterLastWords(socket);
}

/** What runs may still tell of the end, and then nothing is told any more. */
function closeAfterLastWords(socket: Socket): void {
  const { over, session } = socket.connection ?? {};
  const close = () =>
    session === 'renewed'
      ? socket.close(TRY_AGAIN_LATER, 'CREDENTIAL_REPLACED')
      : socket.close(CloseCode.Forbidden, over?.reason ?? '');
  // The last message is on its way only after this turn.
  if (socket.running === 0) setImmediate(close);
  else setTimeout(close, LAST_WORDS_MS).unref();
}

function refused(message: string, code: string): GraphQLError[] {
  return [new GraphQLError(message, { extensions: { code } })];
}

function asError(formatted: GraphQLFormattedError): GraphQLError {
  return Object.assign(new GraphQLError(formatted.message), { toJSON: () => formatted });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
