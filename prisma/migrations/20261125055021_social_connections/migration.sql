-- AlterTable
ALTER TABLE "pending_logins" ADD COLUMN     "sealed_identity" TEXT;

-- CreateTable
CREATE TABLE "social_connections" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "provider" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "display_name" TEXT NOT NULL,
    "email" TEXT,
    "sealed_tokens" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "social_connections_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "provider_flows" (
    "id" UUID NOT NULL,
    "purpose" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "flow_token_hash" BYTEA NOT NULL,
    "state_hash" BYTEA NOT NULL,
    "code_hash" BYTEA,
    "redirect_url" TEXT NOT NULL,
    "credential" "credential_kind",
    "session_id" UUID,
    "sealed_secrets" TEXT NOT NULL,
    "sealed_response" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "returned_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),

    CONSTRAINT "provider_flows_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "used_id_tokens" (
    "digest" BYTEA NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "used_id_tokens_pkey" PRIMARY KEY ("digest")
);

-- CreateIndex
CREATE INDEX "social_connections_user_id_idx" ON "social_connections"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "social_connections_provider_issuer_subject_key" ON "social_connections"("provider", "issuer", "subject");

-- CreateIndex
CREATE UNIQUE INDEX "provider_flows_flow_token_hash_key" ON "provider_flows"("flow_token_hash");

-- CreateIndex
CREATE UNIQUE INDEX "provider_flows_state_hash_key" ON "provider_flows"("state_hash");

-- CreateIndex
CREATE INDEX "provider_flows_session_id_idx" ON "provider_flows"("session_id");

-- CreateIndex
CREATE INDEX "provider_flows_expires_at_idx" ON "provider_flows"("expires_at");

-- CreateIndex
CREATE INDEX "used_id_tokens_expires_at_idx" ON "used_id_tokens"("expires_at");

-- AddForeignKey
ALTER TABLE "social_connections" ADD CONSTRAINT "social_connections_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "provider_flows" ADD CONSTRAINT "provider_flows_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;
