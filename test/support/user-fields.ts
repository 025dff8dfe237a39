import { parsePhoneNumber } from '../../src/lib/phone-number.ts';
import type { UserFieldDeclarations } from '../../src/lib/user-fields/declaration.ts';
import type { Answer } from './client.ts';
import type { Held } from './people.ts';

/** The fields of the tests, one of each kind of writer. */
export const USER_FIELDS = {
  phoneNumber: {
    type: 'String',
    description: 'Where the office reaches this person, in E.164.',
    write: 'OWNER',
    validate: (typed) => {
      const number = parsePhoneNumber(typed);
      return number ? { value: number } : false;
    },
  },
  organization: { type: 'String', write: 'ADMINISTRATOR', index: true, inAccessToken: true },
  onboarded: { type: 'Boolean', write: 'OWNER', default: false },
  memberNumber: { type: 'String', write: 'OWNER', index: 'UNIQUE' },
  plan: { type: 'Enum', values: ['FREE', 'PRO'], write: 'NOBODY', inAccessToken: 'https://example.com/plan' },
} as const satisfies UserFieldDeclarations;

const OWN = 'phoneNumber organization onboarded memberNumber plan';
export const OWN_FIELDS = `query OwnFields { currentUser { __typename ... on User { id ${OWN} } } }`;
export const WRITE_FIELDS = `mutation Write($input: UpdateProfileInput!) { updateProfile(input: $input) {
  __typename
  ... on ProfileUpdated { user { id name ${OWN} } }
  ... on InvalidInput { issues { path code message } }
  ... on RateLimited { retryAfter }
} }`;

/** Writes fields as their owner. */
export function write({ client }: Pick<Held, 'client'>, input: Record<string, unknown>): Promise<Answer> {
  return client.send(WRITE_FIELDS, { input });
}

/** A member number that nobody else has. */
export function newMemberNumber(): string {
  members += 1;
  return `M-${process.pid}-${members}`;
}

let members = 0;
