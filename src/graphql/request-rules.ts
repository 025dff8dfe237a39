import {
  type ASTNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  getNamedType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

/** What one request may ask for. The same for everybody, since validation verdicts are shared between requests. */
export const LIMITS = { tokens: 1_000, depth: 8, aliases: 15, directives: 20, representations: 100 } as const;

/** How a document that breaks one of these rules is told. It is a 400 for every client, whatever it accepts. */
export const REFUSAL_CODES = ['ONE_MUTATION_FIELD', 'LIMIT_EXCEEDED'] as const;
type RefusalCode = (typeof REFUSAL_CODES)[number];

/** GraphiQL's own question about the schema nests this deep; where introspection is off, another rule refuses it. */
const INTROSPECTION_DEPTH = 16;

/**
 * One mutation a request. So one request is one attempt, and no attempt sees the effects of another in its own answer.
 * Fields are counted through fragments, whatever `@skip` says.
 */
export const oneMutationField: ValidationRule = (context) => ({
  OperationDefinition(operation) {
    if (operation.operation !== 'mutation' || measureWithin(context, operation).rootFields <= 1) return;
    context.reportError(refusal('A mutation operation selects exactly one field.', 'ONE_MUTATION_FIELD', operation));
  },
});

/** Bounds on depth, aliases and directives, measured over each operation with its fragments spread out. */
export const boundedDocument: ValidationRule = (context) => ({
  OperationDefinition(operation) {
    const { depth, aliases, directives } = measureWithin(context, operation);
    const exceeded =
      (depth > LIMITS.depth && `depth of ${LIMITS.depth}`) ||
      (aliases > LIMITS.aliases && `${LIMITS.aliases} aliases`) ||
      (directives > LIMITS.directives && `${LIMITS.directives} directives`);
    if (exceeded)
      context.reportError(refusal(`The operation exceeds the limit: ${exceeded}.`, 'LIMIT_EXCEEDED', operation));
  },
});

/** What federation has beside `__schema` to tell the schema by is refused where that is, in the same words. */
export const noSchemaByService: ValidationRule = (context) => ({
  Field(node) {
    if (getNamedType(context.getType())?.name !== '_Service') return;
    const message = `GraphQL introspection has been disabled, but the requested query contained the field "${node.name.value}".`;
    context.reportError(new GraphQLError(message, { nodes: node }));
  },
});

interface Measure {
  readonly rootFields: number;
  readonly depth: number;
  readonly aliases: number;
  readonly directives: number;
}

const NOTHING: Measure = { rootFields: 0, depth: 0, aliases: 0, directives: 0 };

/**
 * Measures an operation as if every fragment were written out where it is spread. Each fragment is measured once, so
 * that a small document which stands for an exponentially large one is told from its sums, not by walking it.
 */
export function measure(
  operation: OperationDefinitionNode,
  fragmentNamed: (name: string) => FragmentDefinitionNode | null | undefined,
): Measure {
  const fragments = new Map<string, Measure>();

  const ofSet = (set: SelectionSetNode): Measure =>
    set.selections.reduce((sum, selection) => {
      const own = { ...NOTHING, directives: selection.directives?.length ?? 0 };
      if (selection.kind === Kind.FIELD) return add(add(sum, own), ofField(selection));
      if (selection.kind === Kind.INLINE_FRAGMENT) return add(add(sum, own), ofSet(selection.selectionSet));
      return add(add(sum, own), ofFragment(selection.name.value));
    }, NOTHING);

  const ofField = (field: FieldNode): Measure => {
    const below = field.selectionSet ? ofSet(field.selectionSet) : NOTHING;
    return {
      ...below,
      rootFields: 1,
      aliases: below.aliases + (field.alias ? 1 : 0),
      depth: depthOf(field, below.depth),
    };
  };

  const ofFragment = (name: string): Measure => {
    const known = fragments.get(name);
    if (known) return known;
    // While it is being measured it counts as nothing: a cycle is another rule's to report.
    fragments.set(name, NOTHING);
    const fragment = fragmentNamed(name);
    const measured = fragment ? ofSet(fragment.selectionSet) : NOTHING;
    fragments.set(name, measured);
    return measured;
  };

  return add(ofSet(operation.selectionSet), { ...NOTHING, directives: operation.directives?.length ?? 0 });
}

function measureWithin(context: ValidationContext, operation: OperationDefinitionNode): Measure {
  return measure(operation, (name) => context.getFragment(name));
}

function depthOf(field: FieldNode, below: number): number {
  const introspects = field.name.value === '__schema' || field.name.value === '__type';
  return introspects && below <= INTROSPECTION_DEPTH ? 1 : below + 1;
}

function add(a: Measure, b: Measure): Measure {
  return {
    rootFields: a.rootFields + b.rootFields,
    depth: Math.max(a.depth, b.depth),
    aliases: a.aliases + b.aliases,
    directives: a.directives + b.directives,
  };
}

/** The error for a document of more tokens than are allowed. */
export function tooManyTokens(): GraphQLError {
  return refusal(`The document exceeds the limit: ${LIMITS.tokens} tokens.`, 'LIMIT_EXCEEDED');
}

/**
 * The error for a list that exceeds a limit, as the resolver that gets it finds.
 * @param nodes where it stands: an error of a resolver that does not point into the document is a fault of ours
 */
export function tooLongList(limit: 'representations' | 'aliases', nodes: readonly FieldNode[]): GraphQLError {
  return refusal(`The list exceeds the limit: ${LIMITS[limit]} ${limit}.`, 'LIMIT_EXCEEDED', nodes);
}

function refusal(message: string, code: RefusalCode, nodes?: ASTNode | readonly ASTNode[]): GraphQLError {
  return new GraphQLError(message, { nodes: nodes ?? null, extensions: { code } });
}
