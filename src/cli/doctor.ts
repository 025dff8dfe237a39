import { readEnvironment, readEnvironmentFile } from '../config.ts';
import type { Verdict } from '../doctor/check.ts';
import { type CheckName, checks } from '../doctor/checks.ts';
import { examine, type Finding } from '../doctor/examine.ts';
import { gatherFacts } from '../doctor/facts.ts';
import { parseEmailAddress } from '../lib/email-address.ts';
import { loadOperatorConfig, type OperatorConfig, problemsOfOperatorConfig } from '../operator-config.ts';
import { type Command, type Given, JSON_OPTION, print, UsageError } from './command.ts';

export const doctor: Command = {
  usage: 'postern doctor [--json] [--strict] [--only NAME,…] [--send-test-mail ADDRESS] [--backed-up ID]',
  summary: 'says what is not ready for production, why, and what mends it; ends with 1 if anything failed',
  options: {
    ...JSON_OPTION,
    '--strict': 'warnings fail as well',
    '--only NAME,…': 'only these checks',
    '--send-test-mail ADDRESS': 'sends a mail there, to see whether one gets through',
    '--backed-up ID': 'states that there is a copy of the secret of this id; the doctor says which it is',
  },
  async run(given) {
    const only = chosen(given.values.only);
    const address = given.values['send-test-mail'];
    const testMailTo = address === undefined ? null : parseEmailAddress(address);
    if (address !== undefined && testMailTo === null) throw new UsageError(`${address} is no address`);
    // Before the environment is read, which the file becomes a part of.
    const environmentFile = readEnvironmentFile();
    const environment = readEnvironment();
    const { operator, operatorProblem } = await operatorIn('.');
    const backedUp = given.values['backed-up'] ?? null;
    const facts = await gatherFacts({ environment, environmentFile, operator, operatorProblem, testMailTo, backedUp });
    const findings = await examine(facts, only);
    const isReady = !findings.some(({ verdict }) => isBad(verdict, given));
    const production = environment.NODE_ENV === 'production';
    print(given, { ready: isReady, production, summary: countOf(findings), findings }, [
      ...linesOf(findings),
      ...(production ? [] : [NOTE]),
    ]);
    return isReady ? 0 : 1;
  },
};

function chosen(names: string | undefined): CheckName[] | undefined {
  return names?.split(',').map((written) => {
    const name = written.trim();
    if (!isCheck(name)) throw new UsageError(`there is no check ${name}; there are ${Object.keys(checks).join(', ')}`);
    return name;
  });
}

function isCheck(name: string): name is CheckName {
  return Object.hasOwn(checks, name);
}

async function operatorIn(folder: string): Promise<{ operator: OperatorConfig; operatorProblem: string | null }> {
  try {
    const operator = await loadOperatorConfig(folder);
    const problems = problemsOfOperatorConfig(operator);
    return problems.length > 0
      ? { operator: {}, operatorProblem: problems.join('; ') }
      : { operator, operatorProblem: null };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { operator: {}, operatorProblem: message.replace(/\s*\n\s*/g, ' ') };
  }
}

function isBad(verdict: Verdict, { flags }: Given): boolean {
  return verdict === 'failed' || (verdict === 'warning' && flags.has('strict'));
}

const NOTE = 'NODE_ENV is not production here; all of this is judged as in production.';

const MARKS: Readonly<Record<Verdict, string>> = { ok: '✓', warning: '!', failed: '✗', skipped: '–' };

function linesOf(findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ name, title, verdict, reason, mend }) => {
    const rest = verdict === 'ok' || verdict === 'skipped' ? [] : [`not so: ${title}`, `mend:   ${mend}`];
    return [
      `${MARKS[verdict]} ${name.padEnd(width)}  ${reason}`,
      ...rest.map((line) => `${' '.repeat(width + 4)}${line}`),
    ];
  });
  const { failed, warning, ok, skipped } = countOf(findings);
  const counts = `${failed} failed, ${warning} warning${warning === 1 ? '' : 's'}, ${ok} ok, ${skipped} skipped`;
  return [...lines, '', failed + warning > 0 ? `${counts}. docs/production.md says why each matters.` : counts];
}

function countOf(findings: readonly Finding[]): Record<Verdict, number> {
  const count = (verdict: Verdict) => findings.filter((finding) => finding.verdict === verdict).length;
  return { failed: count('failed'), warning: count('warning'), ok: count('ok'), skipped: count('skipped') };
}
