import { setTimeout as pause } from 'node:timers/promises';
import { type Check, failed, type Result } from './check.ts';
import { type CheckName, checks } from './checks.ts';
import type { Facts } from './facts.ts';
import { reasonOf } from './reason.ts';
import { redactorFor } from './redact.ts';

/** What one check has found. */
export interface Finding extends Result {
  readonly name: CheckName;
  readonly title: string;
}

/** Longer than any call that a check makes. */
const CHECK_WITHIN_MS = 45_000;

/**
 * Runs checks, all at once.
 * @param only those of these names; all of them by default
 * @returns a finding for each, in the order of the registry, without any secret of the settings in it
 */
export async function examine(facts: Facts, only?: readonly CheckName[]): Promise<Finding[]> {
  const redact = redactorFor(facts.config);
  const chosen = (Object.keys(checks) as CheckName[]).filter((name) => only?.includes(name) ?? true);
  return Promise.all(
    chosen.map(async (name) => {
      const check: Check = checks[name];
      const { verdict, reason, mend } = await run(check, facts);
      return { name, title: check.title, verdict, reason: redact(reason), mend: mend && redact(mend) };
    }),
  );
}

async function run(check: Check, facts: Facts): Promise<Result> {
  const unfit = facts.problems.filter((problem) => isAbout(check, settingOf(problem)));
  if (unfit.length > 0) return failed(unfit.join('; '), [...new Set(unfit.map(settingOf))].join(', '));
  const late = failed('it took too long to look at', 'look whether what it asks is there');
  try {
    return await Promise.race([check.run(facts), pause(CHECK_WITHIN_MS, late, { ref: false })]);
  } catch (error) {
    return failed(`it could not be looked at: ${reasonOf(error)}`, 'report it as a fault of the doctor');
  }
}

const OWNED: ReadonlySet<string> = new Set(
  Object.values(checks).flatMap(({ settings }: Check) => (settings === 'others' ? [] : settings)),
);

function isAbout({ settings }: Check, name: string): boolean {
  return settings === 'others' ? !OWNED.has(name) : settings.includes(name);
}

/** Which setting a problem is about. */
function settingOf(problem: string): string {
  return problem.split(/[ .]/)[0] ?? '';
}
