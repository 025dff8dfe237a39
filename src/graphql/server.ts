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
import { LRUCache } from 'lru-cache';
import type { App } from '../app.ts';
import type { Context } from './context.ts';
import { presentError } from './errors.ts';
import { boundedDocument, LIMITS, oneMutationField, tooManyTokens } from './request-rules.ts';
import { schema } from './schema.ts';

/** What the HTTP door hands over: Node's pair, and the context of the request. */
export interface ServerContext extends Context {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** Some hundreds of documents as apps write them; a hundred MiB of memory if somebody wants to fill it. */
const CACHED_CHARACTERS = 256 * 1024;

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
    parserAndValidationCache: { documentCache: boundedCache(), errorCache: boundedCache() },
    plugins: [boundedParsing, guardedValidation(app.config.introspection), presentedErrors(app)],
  });
}

/**
 * Documents are kept parsed, so that those of an app are parsed once. The room for them is counted in characters, not
 * in documents: a parsed one takes some hundred times its length, and anybody may send one.
 */
function boundedCache<V extends object>(): LRUCache<string, V> {
  return new LRUCache({ maxSize: CACHED_CHARACTERS, sizeCalculation: (_parsed, source) => source.length + 1 });
}

// The engine's own words: nothing else tells this error from one of syntax.
const TOO_MANY_TOKENS = /^Syntax Error: Document contains more tha[nt] \d+ tokens/;

// Set at parsing and validation themselves, so that every way a document comes in is held to them.
const boundedParsing: Plugin = {
  onParse: ({ setParseFn }) =>
    setParseFn((source, options) => {
      try {
        return parse(source, { ...options, maxTokens: LIMITS.tokens });
      } catch (error) {
        throw error instanceof Error && TOO_MANY_TOKENS.test(error.message) ? tooManyTokens() : error;
      }
    }),
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
