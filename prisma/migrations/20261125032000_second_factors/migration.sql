-- AlterTable
ALTER TABLE "authenticators" ADD COLUMN     "consecutive_attempts" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "credential_id" TEXT,
ADD COLUMN     "name" TEXT,
-- The kinds are those of the registry of factors, which may have more than a table can know.
ALTER COLUMN "kind" TYPE TEXT USING "kind"::text;
UPDATE "authenticators" SET "kind" = 'RECOVERY_CODE' WHERE "kind" = 'RECOVERY_CODES';

-- Logins that are under way at the moment of the upgrade begin again: they have nothing for a passkey to sign.
DELETE FROM "pending_logins";

-- AlterTable
ALTER TABLE "pending_logins" DROP COLUMN "wrong_answers",
ADD COLUMN     "factor_attempts" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "passkey_challenge" BYTEA NOT NULL,
ADD COLUMN     "passkey_challenge_expires_at" TIMESTAMPTZ(3) NOT NULL,
ADD COLUMN     "trusted_device_hash" BYTEA,
ADD COLUMN     "trusts_device" BOOLEAN NOT NULL DEFAULT false;

-- DropEnum
DROP TYPE "authenticator_kind";

-- CreateTable
CREATE TABLE "trusted_devices" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "binding" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "trusted_devices_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ceremonies" (
    "id" UUID NOT NULL,
    "handle_hash" BYTEA NOT NULL,
    "purpose" TEXT NOT NULL,
    "user_id" UUID,
    "session_id" UUID,
    "pending_login_id" UUID,
    "sealed_state" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "ceremonies_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "trusted_devices_token_hash_key" ON "trusted_devices"("token_hash");

-- CreateIndex
CREATE INDEX "trusted_devices_user_id_idx" ON "trusted_devices"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "ceremonies_handle_hash_key" ON "ceremonies"("handle_hash");

-- CreateIndex
CREATE INDEX "ceremonies_user_id_idx" ON "ceremonies"("user_id");

-- CreateIndex
CREATE INDEX "ceremonies_session_id_idx" ON "ceremonies"("session_id");

-- CreateIndex
CREATE INDEX "ceremonies_pending_login_id_idx" ON "ceremonies"("pending_login_id");

-- CreateIndex
CREATE UNIQUE INDEX "authenticators_credential_id_key" ON "authenticators"("credential_id");

-- AddForeignKey
ALTER TABLE "trusted_devices" ADD CONSTRAINT "trusted_devices_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ceremonies" ADD CONSTRAINT "ceremonies_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ceremonies" ADD CONSTRAINT "ceremonies_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ceremonies" ADD CONSTRAINT "ceremonies_pending_login_id_fkey" FOREIGN KEY ("pending_login_id") REFERENCES "pending_logins"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Everything below is written by hand: Prisma's schema cannot say it, and leaves it alone.

-- What is remembered of a person is which factors they have. The counters and counts of one move at every use.
DROP TRIGGER "postern_authenticator_changed" ON "authenticators";
CREATE TRIGGER "postern_authenticator_changed" AFTER INSERT OR DELETE ON "authenticators" FOR EACH ROW
  EXECUTE FUNCTION "postern_notify_owner"();
