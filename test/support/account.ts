import type { Answer } from './client.ts';
import type { Gateway } from './gateway.ts';
import { type Held, VERIFY_EMAIL } from './people.ts';

/** What stands in the way, for results that have such members. */
const PROBLEMS = {
  InvalidInput: '... on InvalidInput { issues { path code } }',
  ReauthenticationRequired: '... on ReauthenticationRequired { methods }',
  Unauthenticated: '... on Unauthenticated { reason }',
  RateLimited: '... on RateLimited { retryAfter }',
};
const { InvalidInput, ReauthenticationRequired, Unauthenticated, RateLimited } = PROBLEMS;
const CODE_SENT = '... on CodeSent { handle expiresAt resendAvailableAt }';
const EMAILS = 'emails { id email verified primary }';
const EMAILS_CHANGED = `... on EmailsChanged { ${EMAILS} }`;

export const ACCOUNT = `query Account { currentUser { __typename ... on User {
  id name username displayName email emailVerified ${EMAILS} phone { number verified } sessions { id }
} ${Unauthenticated} } }`;
export const UPDATE_PROFILE = `mutation UpdateProfile($input: UpdateProfileInput!) { updateProfile(input: $input) {
  __typename
  ... on ProfileUpdated { user { id name username displayName email sessions { id current } } }
  ${InvalidInput} ${Unauthenticated} ${RateLimited}
} }`;
export const ADD_EMAIL = `mutation AddEmail($input: AddEmailInput!) { addEmail(input: $input) {
  __typename ${CODE_SENT} ${InvalidInput} ${ReauthenticationRequired} ${Unauthenticated} ${RateLimited}
} }`;
export const SEND_EMAIL_VERIFICATION = `mutation SendEmailVerification($input: SendEmailVerificationInput!) {
  sendEmailVerification(input: $input) { __typename ${CODE_SENT} ${Unauthenticated} ${RateLimited} }
}`;
export const SET_PRIMARY_EMAIL = `mutation SetPrimaryEmail($input: SetPrimaryEmailInput!) { setPrimaryEmail(input: $input) {
  __typename ${EMAILS_CHANGED} ${ReauthenticationRequired} ${Unauthenticated} ${RateLimited}
} }`;
export const REMOVE_EMAIL = `mutation RemoveEmail($input: RemoveEmailInput!) { removeEmail(input: $input) {
  __typename ${EMAILS_CHANGED} ${ReauthenticationRequired} ${Unauthenticated} ${RateLimited}
} }`;
export const SET_PHONE = `mutation SetPhone($input: SetPhoneInput!) { setPhone(input: $input) {
  __typename ${CODE_SENT} ${InvalidInput} ${ReauthenticationRequired} ${Unauthenticated} ${RateLimited}
} }`;
export const ANSWER_PHONE = `mutation VerifyPhone($input: VerifyPhoneInput!) { verifyPhone(input: $input) {
  __typename ... on PhoneVerified { phone { number verified } } ... on InvalidCode { attemptsLeft } ${RateLimited}
} }`;
export const REMOVE_PHONE = `mutation RemovePhone { removePhone {
  __typename ... on PhoneRemoved { number } ${ReauthenticationRequired} ${Unauthenticated}
} }`;
export const DELETE_ACCOUNT = `mutation DeleteAccount { deleteAccount {
  __typename ... on AccountDeleted { userId } ${ReauthenticationRequired} ${Unauthenticated}
} }`;

/** An address of a person, as they see it. */
export interface OwnEmail {
  readonly id: string;
  readonly email: string;
  readonly verified: boolean;
  readonly primary: boolean;
}

/** The addresses of a person, as they see them. */
export async function emailsOf({ client }: Held): Promise<readonly OwnEmail[]> {
  const { result } = await client.send(ACCOUNT);
  return result.emails as readonly OwnEmail[];
}

/** The id of an address of a person. */
export async function emailId(held: Held, address: string): Promise<string> {
  const email = (await emailsOf(held)).find((each) => each.email === address);
  if (!email) throw new Error(`there is no address ${address}`);
  return email.id;
}

/** The events of a person, the oldest first. */
export function eventsOf({ sql }: Gateway, userId: string): Promise<{ kind: string; data: Record<string, unknown> }[]> {
  return sql('SELECT kind, data FROM events WHERE user_id = $1 ORDER BY id', [userId]);
}

/** The handle of a CodeSent. Fails for any other answer. */
export function handleOf({ result, text }: Answer): string {
  if (result.__typename !== 'CodeSent') throw new Error(`nothing was sent: ${text}`);
  return String(result.handle);
}

/** Adds an address and shows that it is theirs. */
export async function addVerified(gateway: Gateway, held: Held, address: string): Promise<string> {
  const handle = handleOf(await held.client.send(ADD_EMAIL, { input: { email: address } }));
  const { code } = await gateway.mails.next(address);
  const { result, text } = await gateway.client().send(VERIFY_EMAIL, { input: { proof: { code: { handle, code } } } });
  if (result.__typename !== 'EmailVerified') throw new Error(`not verified: ${text}`);
  return emailId(held, address);
}

/** Shows that the primary address is theirs. */
export async function verifyPrimary(gateway: Gateway, held: Held): Promise<void> {
  const [primary] = await emailsOf(held);
  const sent = await held.client.send(SEND_EMAIL_VERIFICATION, { input: { id: primary?.id } });
  const { code } = await gateway.mails.next(primary?.email ?? '');
  const proof = { code: { handle: handleOf(sent), code } };
  const { result, text } = await gateway.client().send(VERIFY_EMAIL, { input: { proof } });
  if (result.__typename !== 'EmailVerified') throw new Error(`not verified: ${text}`);
}

/** Sets a number and shows that it is theirs. */
export async function setVerifiedPhone(gateway: Gateway, held: Held, number: string): Promise<void> {
  const handle = handleOf(await held.client.send(SET_PHONE, { input: { phone: number } }));
  const { code } = await gateway.texts.next(number);
  const { result, text } = await gateway.client().send(ANSWER_PHONE, { input: { code: { handle, code } } });
  if (result.__typename !== 'PhoneVerified') throw new Error(`not verified: ${text}`);
}

let numbers = 0;

/** A number that nobody else in this process has. */
export function newPhone(): string {
  numbers += 1;
  return `+1202555${String(1000 + numbers).slice(-4)}`;
}
