import {
  type GraphQLNamedType,
  GraphQLObjectType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isObjectType,
  isSpecifiedScalarType,
  lexicographicSortSchema,
  printType,
} from 'graphql';
import { builder } from './builder.ts';
import { signedIn } from './guard.ts';
import { LIMITS, measure, tooLongList } from './request-rules.ts';
import { UserType, viewingThemselves } from './user.ts';

// Postern as a subgraph (Apollo Federation 2, subgraph specification). Other subgraphs hang their fields on `User`;
// the gateway asks here for ours by `_entities`, and composers read what there is in schema.graphql.

builder.scalarType('_Any', {
  description: 'How a gateway names an entity: its `__typename` and its key.',
  serialize: (value) => value,
});

const Entity = builder.unionType('_Entity', { types: [UserType], resolveType: () => UserType });

builder.queryField('_entities', (t) =>
  t.field({
    type: [Entity],
    nullable: { list: false, items: true },
    description: 'For gateways: the person who asks, wherever the list names them. Everybody else is null.',
    args: { representations: t.arg({ type: ['_Any'], required: true }) },
    resolve: (_root, { representations }, context, info) => {
      if (representations.length > LIMITS.representations) throw tooLongList('representations', info.fieldNodes);
      const viewer = signedIn(context, viewingThemselves);
      const entities = representations.map((each) => ('kind' in viewer || !isNamedBy(each, viewer) ? null : viewer));
      if (isMoreThanAliasesCould(entities, info)) throw tooLongList('aliases', info.fieldNodes);
      return entities;
    },
  }),
);

/** An id that is somebody else's and one that is nobody's are never told apart, since neither is looked up. */
function isNamedBy(representation: unknown, { id }: { readonly id: string }): boolean {
  const named = representation as { readonly __typename?: unknown; readonly id?: unknown };
  return named.__typename === 'User' && named.id === id;
}

/**
 * Whether somebody is asked for more often than aliases let anybody be: a list in the variables would otherwise
 * multiply all that the document selects. Gateways name a person once.
 */
function isMoreThanAliasesCould(entities: readonly unknown[], { operation, fragments }: GraphQLResolveInfo): boolean {
  const times = entities.filter((each) => each !== null).length;
  return times > 1 && times * (1 + measure(operation, (name) => fragments[name]).aliases) > 1 + LIMITS.aliases;
}

const printed = new WeakMap<GraphQLSchema, string>();

const Service = builder.objectRef<GraphQLSchema>('_Service').implement({
  description: 'What composers read: the same as schema.graphql.',
  fields: (t) => ({
    sdl: t.string({
      resolve: (schema) => {
        const sdl = printed.get(schema) ?? printSubgraph(schema);
        printed.set(schema, sdl);
        return sdl;
      },
    }),
  }),
});

builder.queryField('_service', (t) =>
  t.field({
    type: Service,
    description: 'For composers. Refused where introspection is.',
    resolve: (_root, _args, _context, { schema }) => schema,
  }),
);

// Declared, so that tools which know nothing of federation, or not yet of @oneOf, can build the schema as well.
const HEAD = `\
extend schema @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key"])

directive @key(fields: String!) repeatable on OBJECT

directive @link(url: String!, import: [String]) repeatable on SCHEMA

directive @oneOf on INPUT_OBJECT`;

/**
 * The SDL of the schema as composers take it: with `@link` and `@key`, and without the protocol, which every subgraph
 * has. Sorted, so that a change shows as what it is.
 */
export function printSubgraph(schema: GraphQLSchema): string {
  const types = Object.values(lexicographicSortSchema(schema).getTypeMap())
    .filter((type) => !isProtocol(type) && !isSpecifiedScalarType(type))
    .map((type) => printType(withoutProtocol(type)).replace(/^type User(?= )/m, '$& @key(fields: "id")'));
  return `${[HEAD, ...types].join('\n\n')}\n`;
}

function withoutProtocol(type: GraphQLNamedType): GraphQLNamedType {
  if (!isObjectType(type)) return type;
  const { fields, ...config } = type.toConfig();
  const own = Object.entries(fields).filter(([name]) => !isProtocol({ name }));
  return new GraphQLObjectType({ ...config, fields: Object.fromEntries(own) });
}

/** GraphQL itself and federation have the names that begin with an underscore. */
function isProtocol({ name }: { readonly name: string }): boolean {
  return name.startsWith('_');
}
