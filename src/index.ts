export { type Config, ConfigError, type Environment } from './config.ts';
export { createPostern, type Postern, type PosternOptions } from './create-postern.ts';
export type { Listener, Listeners } from './deliveries/index.ts';
export type { WebhookEntry } from './deliveries/settings.ts';
export type { AnnouncedEvent, AuthEvent, EventKind } from './events.ts';
export type { Identification, Identified } from './flows/identify.ts';
export type { WriteUserFieldsResult } from './flows/write-user-fields.ts';
export { blockDomains } from './hooks/block-domains.ts';
export type {
  AccountStart,
  HookAccessToken,
  HookCode,
  HookEnrollment,
  HookLinking,
  HookPassword,
  HookPerson,
  HookProviderWord,
  HookRedirect,
  HookRequestOrigin,
  HookSignUp,
  HookSocialLogin,
  Hooks,
  LinkingPolicy,
  MailMessage,
  PopulatedUser,
  Refusal,
  SocialLoginDecision,
  TextMessage,
} from './hooks.ts';
export { parsePhoneNumber } from './lib/phone-number.ts';
export type {
  FieldValue,
  FieldVerdict,
  UserFieldDeclaration,
  UserFieldDeclarations,
} from './lib/user-fields/declaration.ts';
export type { Brand, MailMessages, RenderedMail, SmsMessages } from './mail/message.ts';
export { defineConfig, type OperatorConfig } from './operator-config.ts';
export type { ProviderEntry } from './providers/settings.ts';
export { type StandalonePostern, startPostern } from './standalone.ts';
