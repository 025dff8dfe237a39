-- CreateEnum
CREATE TYPE "password_change_reason" AS ENUM ('BREACHED', 'ADMINISTRATOR');

-- CreateEnum
CREATE TYPE "channel" AS ENUM ('EMAIL', 'SMS');

-- DropIndex
DROP INDEX "emails_address_key";

-- DropIndex
DROP INDEX "emails_user_id_idx";

-- DropIndex
DROP INDEX "users_username_key";

-- AlterTable
ALTER TABLE "passwords" ADD COLUMN     "replace_reason" "password_change_reason";

-- AlterTable
ALTER TABLE "pending_logins" ADD COLUMN     "email" TEXT,
ADD COLUMN     "phone" TEXT,
ADD COLUMN     "sealed_sign_up" TEXT,
ADD COLUMN     "stage" TEXT;

-- AlterTable
ALTER TABLE "users" ADD COLUMN     "username_key" TEXT;

-- CreateTable
CREATE TABLE "phones" (
    "user_id" UUID NOT NULL,
    "number" TEXT NOT NULL,
    "verified_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "phones_pkey" PRIMARY KEY ("user_id")
);

-- CreateTable
CREATE TABLE "challenges" (
    "id" UUID NOT NULL,
    "purpose" TEXT NOT NULL,
    "handle_hash" BYTEA,
    "pending_login_id" UUID,
    "session_id" UUID,
    "user_id" UUID,
    "channel" "channel" NOT NULL,
    "destination" TEXT NOT NULL,
    "code_hash" BYTEA NOT NULL,
    "link_hash" BYTEA,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "resend_at" TIMESTAMPTZ(3) NOT NULL,
    "code_expires_at" TIMESTAMPTZ(3) NOT NULL,
    "link_expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "challenges_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "phones_number_key" ON "phones"("number");

-- CreateIndex
CREATE UNIQUE INDEX "challenges_handle_hash_key" ON "challenges"("handle_hash");

-- CreateIndex
CREATE UNIQUE INDEX "challenges_link_hash_key" ON "challenges"("link_hash");

-- CreateIndex
CREATE INDEX "challenges_user_id_idx" ON "challenges"("user_id");

-- CreateIndex
CREATE INDEX "challenges_session_id_idx" ON "challenges"("session_id");

-- CreateIndex
CREATE UNIQUE INDEX "challenges_pending_login_id_purpose_key" ON "challenges"("pending_login_id", "purpose");

-- CreateIndex
CREATE UNIQUE INDEX "emails_user_id_address_key" ON "emails"("user_id", "address");

-- CreateIndex
CREATE UNIQUE INDEX "users_username_key_key" ON "users"("username_key");

-- AddForeignKey
ALTER TABLE "phones" ADD CONSTRAINT "phones_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "challenges" ADD CONSTRAINT "challenges_pending_login_id_fkey" FOREIGN KEY ("pending_login_id") REFERENCES "pending_logins"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "challenges" ADD CONSTRAINT "challenges_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "challenges" ADD CONSTRAINT "challenges_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Everything below is written by hand: Prisma's schema cannot say it, and leaves it alone.

UPDATE "users" SET "username_key" = lower("username");

-- An address belongs to whoever verified it, or else to whoever has it as the primary one. It may wait beside that on
-- other accounts, until somebody shows that it is theirs.
CREATE UNIQUE INDEX "emails_one_holder" ON "emails"("address") WHERE "verified_at" IS NOT NULL OR "is_primary";

CREATE TRIGGER "postern_phone_changed" AFTER INSERT OR UPDATE OR DELETE ON "phones" FOR EACH ROW
  EXECUTE FUNCTION "postern_notify_owner"();
