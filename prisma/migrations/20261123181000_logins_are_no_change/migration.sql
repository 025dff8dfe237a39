-- The time of the last login is read when it is asked for, and not remembered. So a login is no change of the person:
-- their other sessions stay in memory, and the commit does not queue behind those of all others that notify.
DROP TRIGGER "postern_user_changed" ON "users";
CREATE TRIGGER "postern_user_changed" AFTER UPDATE ON "users" FOR EACH ROW
  WHEN (to_jsonb(OLD.*) - 'last_login_at' IS DISTINCT FROM to_jsonb(NEW.*) - 'last_login_at')
  EXECUTE FUNCTION "postern_notify_user"();
CREATE TRIGGER "postern_user_deleted" AFTER DELETE ON "users" FOR EACH ROW
  EXECUTE FUNCTION "postern_notify_user"();
