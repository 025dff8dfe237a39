import { secretsOf } from '../app.ts';
import { createAccountAt } from '../import/providers.ts';
import { importPeople } from '../import/run.ts';
import { createCipher } from '../lib/cipher.ts';
import { type Command, type Given, JSON_OPTION, print, UsageError } from './command.ts';
import { withDatabase } from './database.ts';
import { describeReport } from './import/report.ts';
import { isSystem, openSource, SYSTEMS } from './import/systems.ts';

export const importCommand: Command = {
  usage: `postern import ${SYSTEMS.join('|')} --from WHERE [--dry-run] [--json] …`,
  summary: 'takes the people of another system in, with what they log in by; see docs/migration.md',
  options: {
    '--from WHERE': 'the URL of a PostgreSQL database (django-allauth, better-auth, supabase), or a file',
    '--dry-run': 'only say what would come of it',
    '--source NAME': 'by which its people are known again in a later run, if there is more than one of a kind',
    '--providers THERE=HERE,…': 'providers that are called otherwise there',
    '--user-table TABLE': 'django-allauth: the table of a user model of its own (auth_user)',
    '--phone-column COLUMN': 'django-allauth: the column of that table with a phone number',
    '--recovery-codes COUNTxDIGITS': 'django-allauth: how a sheet of recovery codes is made (10x8)',
    '--totp PERIODxDIGITS': 'django-allauth, better-auth: how codes of an app are made (30x6)',
    '--secret-file FILE': 'better-auth: a file with BETTER_AUTH_SECRET, which opens its second factors',
    '--hash-config FILE': 'firebase: a file with the parameters of its password hashes, as its console shows them',
    ...JSON_OPTION,
  },
  words: 1,
  async run(given) {
    const [system] = given.words;
    if (!isSystem(system)) throw new UsageError(`say from where: ${SYSTEMS.join(', ')}`);
    const { from, source: name = system } = given.values;
    if (!from) throw new UsageError('say --from where: the URL of a database, or a file');
    if (!/^[\w.:-]{1,100}$/.test(name)) throw new UsageError(`${name} is no name of a source`);
    const named = namedProviders(given.values.providers ?? '');
    const source = await openSource(system, from, given.values);
    const report = await withDatabase(async (config, database) => {
      const cipher = createCipher(await secretsOf(config));
      const accountAt = createAccountAt(config.social.providers, named);
      const target = { rpId: config.passkeys.rpId, cipher, accountAt, now: new Date() };
      const dryRun = given.flags.has('dry-run');
      return importPeople(database, source, { name, dryRun, target, onProgress: progress(given) });
    });
    print(given, report, describeReport(report));
    return undefined;
  },
};

function namedProviders(written: string): ReadonlyMap<string, string> {
  const pairs = written.split(',').filter((pair) => pair !== '');
  return new Map(
    pairs.map((pair) => {
      const [there, here, ...more] = pair.split('=');
      if (!there || !here || more.length > 0)
        throw new UsageError(`${pair} does not name a provider there and one here`);
      return [there, here] as const;
    }),
  );
}

/** Tells somebody who waits before a screen how far it is. */
function progress({ flags }: Given): (read: number) => void {
  if (flags.has('json') || !process.stderr.isTTY) return () => undefined;
  return (read) => void process.stderr.write(`\r${read} read `);
}
