// For operators who would rather apply the migrations with Prisma's own command, `prisma migrate deploy`.
export default {
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? '' },
};
