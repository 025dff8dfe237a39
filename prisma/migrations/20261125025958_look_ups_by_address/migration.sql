-- CreateIndex
CREATE INDEX "emails_address_idx" ON "emails"("address");

-- Everything below is written by hand: Prisma's schema cannot say it, and leaves it alone.

-- What strangers asked for in the name of an address or a number that nobody answers for.
CREATE INDEX "pending_logins_nobody_email" ON "pending_logins"("email") WHERE "user_id" IS NULL;
CREATE INDEX "pending_logins_nobody_phone" ON "pending_logins"("phone") WHERE "user_id" IS NULL;
CREATE INDEX "challenges_nobody" ON "challenges"("destination") WHERE "user_id" IS NULL AND "session_id" IS NULL;
