import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  validate,
} from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { App } from '../app.ts';
import type { Context } from './context.ts';
import { presentError } from './errors.ts';
import { boundedDocument, LIMITS, oneMutationField } from './request-rules.ts';
import { schema } from './schema.ts';

/** What the HTTP door hands over: Node's pair, and the context of the request. */
export interface ServerContext extends Context {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

export type GraphQLServer = YogaServerInstance<ServerContext, Context>;

/** The GraphQL server: the schema, the rules that each document is held to, and what becomes of errors. */
export function createGraphQLServer(app: App): GraphQLServer {
  return createYoga<ServerContext, Context>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: false,
    batching: false,
    multipart: false,
    cors: false,
    logging: false,
    maskedErrors: false,
    plugins: [boundedParsing, guardedValidation(app.config.introspection), presentedErrors(app)],
  });
}

// Set at parsing and validation themselves, so that every way a document comes in is held to them.
const boundedParsing: Plugin = {
  onParse: ({ setParseFn }) => setParseFn((source, options) => parse(source, { ...options, maxTokens: LIMITS.tokens })),
};

function guardedValidation(introspection: boolean): Plugin {
  return {
    onValidate({ addValidationRule, setValidationFn }) {
      addValidationRule(oneMutationField);
      addValidationRule(boundedDocument);
      if (!introspection) addValidationRule(NoSchemaIntrospectionCustomRule);
      setValidationFn((validated, document: DocumentNode, rules) =>
        validate(validated, document, rules, { maxErrors: 5, hideSuggestions: true }),
      );
    },
  };
}

/** Every error, from whatever stage, passes here on its way out. */
function presentedErrors(app: App): Plugin<Context, ServerContext> {
  return {
    onResultProcess({ result, setResult, serverContext }) {
      if (!isResult(result) || !result.errors) return;
      const { requestId } = serverContext;
      const present = (error: GraphQLError) =>
        presentError(error, requestId, (fault) => app.log.error({ err: fault, requestId }, 'a resolver failed'));
      setResult({ ...result, errors: result.errors.map(present) });
    },
  };
}

function isResult(result: unknown): result is ExecutionResult {
  return typeof result === 'object' && result !== null && !(Symbol.asyncIterator in result) && !Array.isArray(result);
}
