-- AlterTable
ALTER TABLE "sessions" ADD COLUMN     "credential_generation" INTEGER NOT NULL DEFAULT 0;
