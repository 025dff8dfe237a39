-- CreateEnum
CREATE TYPE "credential_kind" AS ENUM ('COOKIE', 'SESSION_TOKEN', 'JWT');

-- CreateEnum
CREATE TYPE "session_end_reason" AS ENUM ('LOGGED_OUT', 'REVOKED', 'EXPIRED', 'PASSWORD_CHANGED', 'REFRESH_TOKEN_REUSED', 'ACCOUNT_DISABLED', 'ACCOUNT_DELETED');

-- CreateEnum
CREATE TYPE "authenticator_kind" AS ENUM ('TOTP', 'PASSKEY', 'RECOVERY_CODES');

-- CreateTable
CREATE TABLE "users" (
    "id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_login_at" TIMESTAMPTZ(3),
    "name" TEXT,
    "username" TEXT,
    "roles" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "disabled_at" TIMESTAMPTZ(3),

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "emails" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "address" TEXT NOT NULL,
    "is_primary" BOOLEAN NOT NULL,
    "verified_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "emails_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "passwords" (
    "user_id" UUID NOT NULL,
    "hash" TEXT NOT NULL,
    "pepper_key_id" TEXT,
    "changed_at" TIMESTAMPTZ(3) NOT NULL,
    "consecutive_attempts" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "passwords_pkey" PRIMARY KEY ("user_id")
);

-- CreateTable
CREATE TABLE "authenticators" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "kind" "authenticator_kind" NOT NULL,
    "data" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "authenticators_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sessions" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "token_hash" BYTEA,
    "credential" "credential_kind" NOT NULL,
    "methods" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_seen_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "end_reason" "session_end_reason",
    "ip_address" TEXT,
    "user_agent" TEXT,

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "refresh_tokens" (
    "id" UUID NOT NULL,
    "session_id" UUID NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "refresh_tokens_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "pending_logins" (
    "id" UUID NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "purpose" TEXT NOT NULL,
    "user_id" UUID,
    "credential" "credential_kind" NOT NULL,
    "methods" JSONB NOT NULL,
    "password_changed_at" TIMESTAMPTZ(3),
    "wrong_answers" INTEGER NOT NULL DEFAULT 0,
    "ip_address" TEXT,
    "user_agent" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "completed_at" TIMESTAMPTZ(3),

    CONSTRAINT "pending_logins_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "events" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "kind" TEXT NOT NULL,
    "user_id" UUID,
    "session_id" UUID,
    "ip_address" TEXT,
    "user_agent" TEXT,
    "data" JSONB NOT NULL,

    CONSTRAINT "events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "signing_keys" (
    "id" TEXT NOT NULL,
    "algorithm" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "sealed_private_jwk" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "signs_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "signing_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "rate_limits" (
    "key" VARCHAR(255) NOT NULL,
    "points" INTEGER NOT NULL DEFAULT 0,
    "expire" BIGINT,

    CONSTRAINT "rate_limits_pkey" PRIMARY KEY ("key")
);

-- CreateIndex
CREATE UNIQUE INDEX "users_username_key" ON "users"("username");

-- CreateIndex
CREATE UNIQUE INDEX "emails_address_key" ON "emails"("address");

-- CreateIndex
CREATE INDEX "emails_user_id_idx" ON "emails"("user_id");

-- CreateIndex
CREATE INDEX "authenticators_user_id_idx" ON "authenticators"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "sessions_token_hash_key" ON "sessions"("token_hash");

-- CreateIndex
CREATE INDEX "sessions_user_id_idx" ON "sessions"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "refresh_tokens_token_hash_key" ON "refresh_tokens"("token_hash");

-- CreateIndex
CREATE INDEX "refresh_tokens_session_id_idx" ON "refresh_tokens"("session_id");

-- CreateIndex
CREATE UNIQUE INDEX "pending_logins_token_hash_key" ON "pending_logins"("token_hash");

-- CreateIndex
CREATE INDEX "pending_logins_user_id_idx" ON "pending_logins"("user_id");

-- CreateIndex
CREATE INDEX "events_user_id_id_idx" ON "events"("user_id", "id");

-- AddForeignKey
ALTER TABLE "emails" ADD CONSTRAINT "emails_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "passwords" ADD CONSTRAINT "passwords_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "authenticators" ADD CONSTRAINT "authenticators_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "refresh_tokens" ADD CONSTRAINT "refresh_tokens_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "pending_logins" ADD CONSTRAINT "pending_logins_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Everything below is written by hand: Prisma's schema cannot say it, and leaves it alone.

-- One primary address per person, whoever writes the row.
CREATE UNIQUE INDEX "emails_one_primary_per_user" ON "emails"("user_id") WHERE "is_primary";

-- Every instance keeps sessions in memory and drops what it hears of on channel "postern". The database announces
-- the changes itself, so that it does not matter who made them: an instance, the command line or somebody in psql.
-- PostgreSQL delivers a notification when its transaction commits, and equal ones of a transaction only once.

CREATE FUNCTION "postern_notify_session"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('postern', 'session:' || OLD.id);
  RETURN NULL;
END
$$;

-- For "users", whose key is the person. The key itself never changes.
CREATE FUNCTION "postern_notify_user"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('postern', 'user:' || OLD.id);
  RETURN NULL;
END
$$;

-- For tables that belong to a person. A row that is moved to somebody else concerns both.
CREATE FUNCTION "postern_notify_owner"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    PERFORM pg_notify('postern', 'user:' || OLD.user_id);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM pg_notify('postern', 'user:' || NEW.user_id);
  END IF;
  RETURN NULL;
END
$$;

CREATE FUNCTION "postern_notify_signing_keys"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('postern', 'signing-keys');
  RETURN NULL;
END
$$;

-- "last_seen_at" moves with use and changes nothing that a session opens. Comparing the rows without it takes in
-- every column there will ever be.
CREATE TRIGGER "postern_session_changed" AFTER UPDATE ON "sessions" FOR EACH ROW
  WHEN (to_jsonb(OLD.*) - 'last_seen_at' IS DISTINCT FROM to_jsonb(NEW.*) - 'last_seen_at')
  EXECUTE FUNCTION "postern_notify_session"();
CREATE TRIGGER "postern_session_deleted" AFTER DELETE ON "sessions" FOR EACH ROW
  EXECUTE FUNCTION "postern_notify_session"();

CREATE TRIGGER "postern_user_changed" AFTER UPDATE OR DELETE ON "users" FOR EACH ROW
  EXECUTE FUNCTION "postern_notify_user"();

CREATE TRIGGER "postern_email_changed" AFTER INSERT OR UPDATE OR DELETE ON "emails" FOR EACH ROW
  EXECUTE FUNCTION "postern_notify_owner"();

CREATE TRIGGER "postern_authenticator_changed" AFTER INSERT OR UPDATE OR DELETE ON "authenticators" FOR EACH ROW
  EXECUTE FUNCTION "postern_notify_owner"();

-- Not on update: the counter of attempts moves at every login.
CREATE TRIGGER "postern_password_changed" AFTER INSERT OR DELETE ON "passwords" FOR EACH ROW
  EXECUTE FUNCTION "postern_notify_owner"();

CREATE TRIGGER "postern_signing_key_changed" AFTER INSERT OR UPDATE OR DELETE ON "signing_keys" FOR EACH ROW
  EXECUTE FUNCTION "postern_notify_signing_keys"();
