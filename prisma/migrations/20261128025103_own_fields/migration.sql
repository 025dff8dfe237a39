-- AlterTable
ALTER TABLE "users" ADD COLUMN     "fields" JSONB NOT NULL DEFAULT '{}';
