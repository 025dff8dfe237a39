import type { ProviderFailed, ProviderNotFound, ProviderRedirect } from '../flows/shared/provider-flow.ts';
import type { LoginPrompt } from '../login/stages/index.ts';
import { builder } from './builder.ts';
import { Problem } from './problems.ts';

type Provider = Extract<LoginPrompt, { kind: 'AccountLinkRequired' }>['provider'];

// What logins at providers and connections share.

export const ProviderType = builder.objectRef<Provider>('Provider').implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    acceptsTokens: t.exposeBoolean('acceptsTokens', {
      description: "Whether logInWithProviderToken takes this provider's tokens.",
    }),
  }),
});

export const ProviderRedirectType = builder.objectRef<ProviderRedirect>('ProviderRedirect').implement({
  description:
    'Send the browser to `url`; keep `flowToken` for the completing mutation. Only who holds both it and the returned code can complete.',
  fields: (t) => ({
    flowToken: t.exposeString('flowToken'),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
    url: t.exposeString('url'),
  }),
});

export const ProviderNotFoundType = builder.objectRef<ProviderNotFound>('ProviderNotFound').implement({
  description: 'There is no such provider here.',
  interfaces: [Problem],
});

const ProviderFailure = builder.enumType('ProviderFailure', {
  values: {
    CANCELLED: { description: 'The person said no at the provider.' },
    DENIED: { description: 'This account is not let in, by a rule of the operator or because it is disabled.' },
    UNREACHABLE: { description: 'The provider does not answer, or not as one does. It may help to try again.' },
    REJECTED: { description: 'What came back from the provider does not hold.' },
  } as const,
});

export const ProviderFailedType = builder.objectRef<ProviderFailed>('ProviderFailed').implement({
  description: 'Nobody came through from the provider. Begin again.',
  interfaces: [Problem],
  fields: (t) => ({ reason: t.expose('reason', { type: ProviderFailure }) }),
});
