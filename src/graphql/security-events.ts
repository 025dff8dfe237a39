import { listSecurityEvents, MAX_PAGE, type SecurityEvents } from '../flows/list-security-events.ts';
import { builder } from './builder.ts';
import { InvalidRequest } from './errors.ts';
import { UserType } from './user.ts';

type Node = SecurityEvents['nodes'][number];

const SecurityEventType = builder.objectRef<Node>('SecurityEvent').implement({
  description: 'One line of the audit trail, as its owner may see it.',
  fields: (t) => ({
    id: t.id({ resolve: ({ id }) => String(id) }),
    at: t.expose('at', { type: 'DateTime' }),
    kind: t.exposeString('kind'),
    ipAddress: t.exposeString('ipAddress', { nullable: true }),
    userAgent: t.exposeString('userAgent', { nullable: true }),
  }),
});

const SecurityEventConnectionType = builder.objectRef<SecurityEvents>('SecurityEventConnection').implement({
  fields: (t) => ({
    nodes: t.field({ type: [SecurityEventType], resolve: ({ nodes }) => [...nodes] }),
    endCursor: t.id({
      nullable: true,
      description: 'What to ask for the next page after.',
      resolve: ({ nodes }) => (nodes.length > 0 ? String(nodes.at(-1)?.id) : null),
    }),
    hasNextPage: t.exposeBoolean('hasNextPage'),
  }),
});

builder.objectField(UserType, 'securityEvents', (t) =>
  t.field({
    type: SecurityEventConnectionType,
    description: 'What happened to this account, the newest first.',
    args: {
      first: t.arg.int({ defaultValue: 20, description: `At most ${MAX_PAGE}.` }),
      after: t.arg.id({ description: 'The `endCursor` of the page before.' }),
    },
    resolve: async (user, { first, after }, { app }) => {
      const page = await listSecurityEvents(app, user, { first: first ?? 20, after: after ?? null });
      if (page.kind === 'InvalidPageSize') throw new InvalidRequest('INVALID_PAGE_SIZE', `first is 1 to ${MAX_PAGE}.`);
      if (page.kind === 'InvalidCursor') throw new InvalidRequest('INVALID_CURSOR', 'There is no such event of yours.');
      return page;
    },
  }),
);
