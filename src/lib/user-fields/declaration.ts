/** What may stand in a field, as JSON has it. An instant is a text of ISO 8601, in UTC. */
export type FieldValue = string | number | boolean | readonly string[];

/** The values of a person's own fields, by name. Those without a value are not among them. */
export type FieldValues = Readonly<Record<string, FieldValue>>;

/** What is wrong with a value, by the codes of `InputIssue`. */
export type FieldProblem = 'REQUIRED' | 'INVALID' | 'TOO_SHORT' | 'TOO_LONG' | 'NOT_ALLOWED';

/** What a validation says: right, wrong, wrong in a way that has a name, or right once it is written like this. */
export type FieldVerdict<T> = boolean | FieldProblem | { readonly value: T };

/** Who writes: the person themselves, an administrator, or the operator's own code. Each may do what those before may. */
export type FieldWriter = 'OWNER' | 'ADMINISTRATOR' | 'CODE';

interface Common<T> {
  /** Stands in the schema. */
  readonly description?: string;
  /** Who may write it through GraphQL; `NOBODY` leaves it to the operator's own code. */
  readonly write: 'OWNER' | 'ADMINISTRATOR' | 'NOBODY';
  /** Whether a sign-up takes it. For what its owner writes `OPTIONAL`, unless it is unique; for all else `NEVER`. */
  readonly onSignUp?: 'OPTIONAL' | 'REQUIRED' | 'NEVER';
  /** What else a value has to be. It is asked in the middle of requests, so it looks at the value and at nothing else. */
  readonly validate?: (value: T) => FieldVerdict<T>;
  /** What everybody has who has no value. It is not stored; with one, the field is never null. */
  readonly default?: T;
  /** An index of PostgreSQL. With `UNIQUE` no two people have the same value. */
  readonly index?: boolean | 'UNIQUE';
  /** The claim of the access tokens that carries it; `true` for one of its own name. */
  readonly inAccessToken?: boolean | string;
}

interface Text {
  /** Characters (Unicode code points) of a value, or of each in a list: 200 by default. */
  readonly maxLength?: number;
  /** Whether it may have line breaks and tabs. */
  readonly multiline?: boolean;
}

/** How a field of the operator's own is declared. */
export type UserFieldDeclaration =
  | (Common<string> & Text & { readonly type: 'String' | 'ID' })
  | (Common<number> & { readonly type: 'Int' | 'Float' })
  | (Common<boolean> & { readonly type: 'Boolean' })
  | (Common<string> & { readonly type: 'DateTime' })
  /** One of these names: they become an enum. */
  | (Common<string> & { readonly type: 'Enum'; readonly values: readonly string[] })
  /** `maxItems`: 20 by default. */
  | (Common<readonly string[]> & Text & { readonly type: '[String!]'; readonly maxItems?: number });

/** The operator's own fields of people, by name. */
export type UserFieldDeclarations = Readonly<Record<string, UserFieldDeclaration>>;

/** A field as it was read. */
export interface UserField {
  readonly name: string;
  readonly type: UserFieldDeclaration['type'];
  readonly description: string | null;
  /** The names of an enum; none for any other type. */
  readonly values: readonly string[];
  readonly write: UserFieldDeclaration['write'];
  readonly onSignUp: 'OPTIONAL' | 'REQUIRED' | 'NEVER';
  readonly default: FieldValue | null;
  readonly index: 'PLAIN' | 'UNIQUE' | null;
  readonly claim: string | null;
  readonly maxLength: number;
  readonly maxItems: number;
  readonly multiline: boolean;
  readonly validate: ((value: FieldValue) => unknown) | null;
}

export type UserFields = readonly UserField[];
