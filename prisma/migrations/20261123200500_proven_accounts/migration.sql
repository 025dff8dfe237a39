-- Whether anything of an account was ever verified: from then on only what was verified names it.
CREATE FUNCTION "is_proven"("of_user" uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT 1 FROM "emails" WHERE "user_id" = "of_user" AND "verified_at" IS NOT NULL)
    OR EXISTS (SELECT 1 FROM "phones" WHERE "user_id" = "of_user" AND "verified_at" IS NOT NULL)
$$;

-- Whether anything can be sent to its owner.
CREATE FUNCTION "is_reachable"("of_user" uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT 1 FROM "emails" WHERE "user_id" = "of_user" AND ("is_primary" OR "verified_at" IS NOT NULL))
    OR EXISTS (SELECT 1 FROM "phones" WHERE "user_id" = "of_user")
$$;
