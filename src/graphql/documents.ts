import {
  type DocumentNode,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { presentRefusal } from './errors.ts';
import { boundedDocument, LIMITS, noSchemaByService, oneMutationField, tooManyTokens } from './request-rules.ts';

/** Some hundreds of documents as apps write them; a hundred MiB of memory if somebody wants to fill it. */
const CACHED_CHARACTERS = 256 * 1024;
const MAX_ERRORS = 5;

/** A document as it was read, and all that is wrong with it. */
export interface ReadDocument {
  /** Null if it does not even parse. */
  readonly document: DocumentNode | null;
  readonly errors: readonly GraphQLFormattedError[];
  /** Whether this is a refusal for every client; other mistakes the specification lets `application/json` hide. */
  readonly unfitForAnybody: boolean;
}

/**
 * Reads documents: parses them and holds them to every rule.
 *
 * What came of it is kept, so that the documents of an app are read once. The room is counted in characters, not in
 * documents: a parsed one takes some hundred times its length, and anybody may send one.
 */
export function createDocumentReader(schema: GraphQLSchema, introspection: boolean): (source: string) => ReadDocument {
  const rules = [...specifiedRules, oneMutationField, boundedDocument];
  if (!introspection) rules.push(NoSchemaIntrospectionCustomRule, noSchemaByService);
  const known = new LRUCache<string, ReadDocument>({
    maxSize: CACHED_CHARACTERS,
    sizeCalculation: (_read, source) => source.length + 1,
  });

  function read(source: string): ReadDocument {
    const document = parseBounded(source);
    if (document instanceof GraphQLError) return refused(null, [document], 'GRAPHQL_PARSE_FAILED');
    const errors = validate(schema, document, rules, { maxErrors: MAX_ERRORS, hideSuggestions: true });
    return refused(document, errors, 'GRAPHQL_VALIDATION_FAILED');
  }

  return (source) => {
    const cached = known.get(source);
    if (cached) return cached;
    const fresh = read(source);
    known.set(source, fresh);
    return fresh;
  };
}

function refused(document: DocumentNode | null, errors: readonly GraphQLError[], code: string): ReadDocument {
  const refusals = errors.map((error) => presentRefusal(error, code));
  return {
    document,
    errors: refusals.map(({ error }) => error.toJSON()),
    unfitForAnybody: refusals.some(({ status }) => status !== null),
  };
}

// The engine's own words: nothing else tells this error from one of syntax.
const TOO_MANY_TOKENS = /^Syntax Error: Document contains more tha[nt] \d+ tokens/;

function parseBounded(source: string): DocumentNode | GraphQLError {
  try {
    return parse(source, { maxTokens: LIMITS.tokens });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return TOO_MANY_TOKENS.test(error.message) ? tooManyTokens() : error;
  }
}
