import type { ObjectRef } from '@pothos/core';
import { builder, type SchemaTypes } from './builder.ts';

interface State {
  readonly kind: string;
}

/** The type of each member of a flow's union, under its tag. */
type Members<S extends State> = {
  readonly [K in S['kind']]: ObjectRef<SchemaTypes, Extract<S, { readonly kind: K }>>;
};

/**
 * The GraphQL union of a flow's results. The tags of the states are the names of the types, so a member that only one
 * side knows does not compile.
 */
export const resultUnion =
  <S extends State>() =>
  (name: string, members: Members<S>) =>
    builder.unionType(name, {
      types: Object.values(members) as ObjectRef<SchemaTypes, S>[],
      resolveType: (state) => (state as State).kind,
    });
