import {
  type AccountChanged,
  type AccountChange as Change,
  followSessionEvents,
  type SessionElevated,
  type SessionEnded,
  type SessionEvent,
  type SessionStarted,
} from '../flows/follow-session-events.ts';
import { map, type Stream } from '../lib/abortable.ts';
import { builder } from './builder.ts';
import type { Context, Payload } from './context.ts';
import { InvalidRequest } from './errors.ts';
import { SessionType } from './session.ts';
import { UserType } from './user.ts';

const SessionEventType = builder.interfaceRef<SessionEvent>('SessionEvent').implement({
  description: 'Ids grow with time; the last one seen is the cursor to resume from.',
  fields: (t) => ({
    id: t.exposeID('id'),
    at: t.expose('at', { type: 'DateTime' }),
  }),
  resolveType: ({ kind }) => kind,
});

builder.objectRef<SessionStarted>('SessionStarted').implement({
  interfaces: [SessionEventType],
  fields: (t) => ({
    session: t.field({ type: SessionType, resolve: ({ session }, _args, context) => seenFrom(context, session) }),
  }),
});

const SessionEndReason = builder.enumType('SessionEndReason', {
  values: {
    LOGGED_OUT: {},
    REVOKED: { description: 'By its owner, by what they changed, or because it had to make room for newer ones.' },
    EXPIRED: {},
    PASSWORD_CHANGED: {},
    REFRESH_TOKEN_REUSED: { description: 'Two parties held its refresh token.' },
    ACCOUNT_DISABLED: {},
    ACCOUNT_DELETED: {},
  } as const,
});

builder.objectRef<SessionEnded>('SessionEnded').implement({
  interfaces: [SessionEventType],
  fields: (t) => ({
    sessionId: t.exposeID('sessionId'),
    reason: t.expose('reason', { type: SessionEndReason }),
  }),
});

builder.objectRef<SessionElevated>('SessionElevated').implement({
  description: 'A session was proven anew: reauthentication or a further factor.',
  interfaces: [SessionEventType],
  fields: (t) => ({
    session: t.field({ type: SessionType, resolve: ({ session }, _args, context) => seenFrom(context, session) }),
  }),
});

const AccountChange = builder.enumType('AccountChange', {
  values: {
    PASSWORD_CHANGED: {},
    EMAIL_CHANGED: {},
    PHONE_CHANGED: {},
    PROFILE_CHANGED: {},
    MFA_ENABLED: {},
    MFA_DISABLED: {},
    AUTHENTICATOR_ADDED: {},
    AUTHENTICATOR_REMOVED: {},
    AUTHENTICATOR_CHANGED: { description: 'It was renamed, disabled, or a recovery code was used.' },
    RECOVERY_CODES_GENERATED: {},
    PROVIDER_CONNECTED: {},
    PROVIDER_DISCONNECTED: {},
    ROLES_CHANGED: {},
  } as const satisfies Record<Change, object>,
});

builder.objectRef<AccountChanged>('AccountChanged').implement({
  description: 'Something about the person changed that the open apps should show.',
  interfaces: [SessionEventType],
  fields: (t) => ({
    change: t.expose('change', { type: AccountChange }),
    user: t.field({
      type: UserType,
      description: 'As they are now.',
      resolve: ({ user }, _args, context) => ({ ...user, currentSessionId: currentIdOf(context) }),
    }),
  }),
});

builder.subscriptionField('sessionEvents', (t) =>
  t.field({
    type: SessionEventType,
    description:
      "What happens to this person's sessions and account. With `after`, first what was missed since that event.",
    args: { after: t.arg.id({ description: 'The id of an event of this person.' }) },
    subscribe: (_root, { after }, context) => sessionEvents(context, after ?? null),
    resolve: ({ value }) => value,
  }),
);

async function sessionEvents(context: Context, after: string | null): Promise<Stream<Payload<SessionEvent>>> {
  const { app, connection, signal, lastEventId } = context;
  if (!connection || !signal) throw new InvalidRequest('UNAUTHENTICATED', 'You are not signed in.');
  const events = await followSessionEvents(app, connection, lastEventId ?? after, signal);
  if ('kind' in events) throw new InvalidRequest('INVALID_CURSOR', 'There is no such event of yours.');
  return map(events, (value) => ({ value, eventId: value.id }));
}

function seenFrom(context: Context, session: SessionStarted['session']) {
  return { ...session, current: session.id === currentIdOf(context) };
}

function currentIdOf({ caller: { viewer } }: Context): string {
  return viewer.kind === 'anonymous' ? '' : viewer.session.id;
}
