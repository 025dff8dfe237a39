/** What tests of an app need of its gateway. Loads nothing that a production machine has not, and refuses to load there. */
import './not-in-production.ts';

export { createVirtualAuthenticator, type VirtualAuthenticator } from './authenticator.ts';
export type { Answer, GraphQLClient, Result } from './client.ts';
export type { TestClock } from './clock.ts';
export { startTestGateway, type TestGateway, type TestGatewayOptions } from './gateway.ts';
export type { LoggedInAs, LogInAsOptions } from './log-in-as.ts';
export type { Mailboxes, ReadMail, ReadText, Telephones } from './mailboxes.ts';
export type { AuthenticatorApp, PersonOptions, PersonWith, TestPerson } from './people.ts';
export { type MockProvider, type MockProviderOptions, type ProviderPerson, startMockProvider } from './provider.ts';
export type { Following } from './socket.ts';
