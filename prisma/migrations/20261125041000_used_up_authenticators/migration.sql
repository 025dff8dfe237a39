-- AlterTable
ALTER TABLE "authenticators" ADD COLUMN     "used_up" BOOLEAN NOT NULL DEFAULT false;

-- What these were hashed with changes with the secret of the operator. New ones are made on demand.
DELETE FROM "authenticators" WHERE "kind" = 'RECOVERY_CODE';
