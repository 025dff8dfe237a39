-- Clients resume a stream of events after the last id that they saw. So of two transactions that write events of one
-- person, the one that commits later must have the higher ids, or an event would be passed over for good. From its first
-- event until it has committed a transaction keeps others from writing events of the same person, and only then takes the
-- id. Events are what a transaction writes last, so nobody waits for long; other people's events never wait.
CREATE FUNCTION "postern_number_event"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- What is about nobody takes the same work: the time must not tell whether there was a person.
  PERFORM pg_advisory_xact_lock(hashtextextended(coalesce(NEW.user_id, gen_random_uuid())::text, 7067));
  NEW.id := nextval('events_id_seq');
  RETURN NEW;
END
$$;

CREATE TRIGGER "postern_event_numbered" BEFORE INSERT ON "events" FOR EACH ROW
  EXECUTE FUNCTION "postern_number_event"();
