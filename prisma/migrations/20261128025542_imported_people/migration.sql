-- CreateTable
CREATE TABLE "imported_people" (
    "source" TEXT NOT NULL,
    "external_id" TEXT NOT NULL,
    "user_id" UUID,
    "imported_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "imported_people_pkey" PRIMARY KEY ("source","external_id")
);

-- CreateIndex
CREATE INDEX "imported_people_user_id_idx" ON "imported_people"("user_id");

-- AddForeignKey
ALTER TABLE "imported_people" ADD CONSTRAINT "imported_people_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- Everything below is written by hand: Prisma's schema cannot say it, and leaves it alone.

-- Who came along with a hash of another system and has not logged in since. A refused login looks here for one.
CREATE INDEX "passwords_foreign" ON "passwords"("user_id") WHERE "hash" NOT LIKE '$argon2id$%';
