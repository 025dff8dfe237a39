import SchemaBuilder from '@pothos/core';
import { GraphQLError } from 'graphql';
import type { Context } from './context.ts';

export interface Types {
  Context: Context;
  DefaultFieldNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSONObject: { Input: Record<string, unknown>; Output: Record<string, unknown> };
    _Any: { Input: unknown; Output: unknown };
  };
}

/** The builder of the schema. Fields are non-null unless they say otherwise, as in the contract. */
export const builder = new SchemaBuilder<Types>({ defaultFieldNullability: false });

/** What the references of this builder are typed with. */
export type SchemaTypes = PothosSchemaTypes.ExtendDefaultTypes<Types>;

builder.queryType({});
builder.mutationType({});
builder.subscriptionType({});

builder.scalarType('DateTime', {
  description: 'An instant, as RFC 3339 writes it, in UTC.',
  serialize: (instant) => instant.toISOString(),
  parseValue: (value) => {
    const instant = typeof value === 'string' ? new Date(value) : null;
    if (!instant || Number.isNaN(instant.getTime())) throw new GraphQLError('not an RFC 3339 time');
    return instant;
  },
});

builder.scalarType('JSONObject', {
  description: "WebAuthn options and responses, exactly as the browser's JSON methods take and give them.",
  serialize: (value) => value,
  parseValue: (value) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new GraphQLError('not a JSON object');
  },
});
