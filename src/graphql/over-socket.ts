import {
  getNamedType,
  getOperationAST,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { schema } from './schema.ts';
import type { Operation } from './server.ts';

/**
 * Whether an operation may hand out a credential: it then goes over HTTP alone. Where nobody can set a cookie, a session
 * that is held by one would be lost as it is opened.
 */
export function givesOutCredentials({ document, operationName }: Operation): boolean {
  const operation = getOperationAST(document, operationName);
  return operation ? rootFieldsOf(operation, document).some((name) => CREDENTIAL_FIELDS.has(name)) : false;
}

/** The mutations one of whose results has a field that is named after what opens something: by its name, so that a new one is among them. */
const CREDENTIAL_FIELDS: ReadonlySet<string> = new Set(
  Object.values(schema.getMutationType()?.getFields() ?? {}).flatMap(({ name, type }) => {
    const result = getNamedType(type);
    const members = isUnionType(result) ? result.getTypes() : [];
    const fields = members.flatMap((member) => Object.keys(member.getFields()));
    return fields.some((field) => /credential|token$/i.test(field)) ? [name] : [];
  }),
);

function rootFieldsOf(operation: OperationDefinitionNode, document: Operation['document']): string[] {
  const fieldsOf = ({ selections }: SelectionSetNode): string[] =>
    selections.flatMap((selection) => {
      if (selection.kind === Kind.FIELD) return [selection.name.value];
      if (selection.kind === Kind.INLINE_FRAGMENT) return fieldsOf(selection.selectionSet);
      const spread = document.definitions.find(
        (node) => node.kind === Kind.FRAGMENT_DEFINITION && node.name.value === selection.name.value,
      );
      return spread?.kind === Kind.FRAGMENT_DEFINITION ? fieldsOf(spread.selectionSet) : [];
    });
  return fieldsOf(operation.selectionSet);
}
