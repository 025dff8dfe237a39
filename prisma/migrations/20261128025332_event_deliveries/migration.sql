-- CreateEnum
CREATE TYPE "delivery_state" AS ENUM ('PENDING', 'DELIVERED', 'FAILED', 'SKIPPED');

-- AlterTable
ALTER TABLE "sessions" ADD COLUMN     "client_changed_at" TIMESTAMPTZ(3),
ADD COLUMN     "client_ip_address" TEXT,
ADD COLUMN     "client_user_agent" TEXT;

-- CreateTable
CREATE TABLE "event_subscribers" (
    "id" TEXT NOT NULL,
    "kinds" TEXT[],
    "seen_at" TIMESTAMPTZ(3) NOT NULL,
    "paused_until" TIMESTAMPTZ(3),
    "gone_at" TIMESTAMPTZ(3),

    CONSTRAINT "event_subscribers_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "event_deliveries" (
    "event_id" BIGINT NOT NULL,
    "subscriber" TEXT NOT NULL,
    "user_id" UUID,
    "state" "delivery_state" NOT NULL DEFAULT 'PENDING',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "last_status" INTEGER,
    "last_error" TEXT,
    "next_at" TIMESTAMPTZ(3) NOT NULL,
    "delivered_at" TIMESTAMPTZ(3),

    CONSTRAINT "event_deliveries_pkey" PRIMARY KEY ("event_id","subscriber")
);

-- AddForeignKey
ALTER TABLE "event_deliveries" ADD CONSTRAINT "event_deliveries_event_id_fkey" FOREIGN KEY ("event_id") REFERENCES "events"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Everything below is written by hand: Prisma's schema cannot say it, and leaves it alone.

-- What is due, and what comes before it for the same person. The log keeps far more than that.
CREATE INDEX "event_deliveries_due" ON "event_deliveries"("subscriber", "next_at") WHERE "state" = 'PENDING';
CREATE INDEX "event_deliveries_of_person" ON "event_deliveries"("subscriber", "user_id", "event_id") WHERE "state" = 'PENDING';

-- Who is to be told of an event gets a row in the transaction of the event, whoever writes it: a gateway, the command
-- line, or somebody in psql. A reader that looks for new events by their ids would pass over those that are committed
-- late: ids are in the order of the commits for one person, not for all.
CREATE FUNCTION "postern_deliver_events"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "event_deliveries" ("event_id", "subscriber", "user_id", "next_at")
  SELECT announced."id", subscriber."id", announced."user_id", announced."at"
  FROM announced JOIN "event_subscribers" AS subscriber ON announced."kind" = ANY (subscriber."kinds");
  RETURN NULL;
END
$$;

CREATE TRIGGER "postern_events_delivered" AFTER INSERT ON "events" REFERENCING NEW TABLE AS announced
  FOR EACH STATEMENT EXECUTE FUNCTION "postern_deliver_events"();

-- A session is seen with another client: that changes nothing that it opens.
DROP TRIGGER "postern_session_changed" ON "sessions";
CREATE TRIGGER "postern_session_changed" AFTER UPDATE ON "sessions" FOR EACH ROW
  WHEN (to_jsonb(OLD.*) - ARRAY['last_seen_at', 'client_ip_address', 'client_user_agent', 'client_changed_at']
    IS DISTINCT FROM to_jsonb(NEW.*) - ARRAY['last_seen_at', 'client_ip_address', 'client_user_agent', 'client_changed_at'])
  EXECUTE FUNCTION "postern_notify_session"();
