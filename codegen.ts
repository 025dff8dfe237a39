import { readdir, readFile, writeFile } from 'node:fs/promises';
import { describeSettings } from './src/config.ts';
import { printSubgraph } from './src/graphql/federation.ts';
import { schema } from './src/graphql/schema.ts';
import { LIMITS } from './src/lib/rate-limits.ts';
import { describePresets } from './src/providers/settings.ts';

/** Every setting, commented out with its default. */
function environmentExample(): string {
  const rows = describeSettings().map(
    ({ name, default: fallback, meaning }) =>
      `# ${capitalized(meaning.replaceAll('`', ''))}.\n# Default: ${fallback.replaceAll('`', '') || 'not set'}\n# ${name}=\n`,
  );
  return `# Settings of Postern. Copy this file to .env, or set them in the environment, which comes first.\n\n${rows.join('\n')}`;
}

function settingsTable(): string {
  const rows = describeSettings().map(
    ({ name, default: fallback, meaning }) =>
      `| \`${name}\` | ${fallback.includes(' ') || fallback.includes('`') || !fallback ? fallback : `\`${fallback}\``} | ${meaning} |`,
  );
  return ['| setting | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function limitsTable(): string {
  const rows = Object.entries(LIMITS).map(([name, { rate, counts }]) => `| \`${name}\` | \`${rate}\` | ${counts} |`);
  return ['| limit | default | what it counts |', '| --- | --- | --- |', ...rows].join('\n');
}

function providersTable(): string {
  const rows = describePresets().map(({ id, name, needs }) => `| \`${id}\` (${name}) | ${needs} |`);
  return ['| provider | what an entry needs beside `id` and `clientId` |', '| --- | --- |', ...rows].join('\n');
}

/** The programs that the tests run, as somebody writes them who has the package. */
async function verifyExamples(): Promise<Record<string, string>> {
  const folder = 'test/verify/examples';
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ts'));
  const texts = await Promise.all(
    files.map(async (file) => {
      const program = await readFile(`${folder}/${file}`, 'utf8');
      const text = program.trimEnd().replaceAll("'../../../src/verify/index.ts'", "'postern/verify'");
      return [`verify ${file.replace('.ts', '')}`, `\`\`\`ts\n${text}\n\`\`\``] as const;
    }),
  );
  return Object.fromEntries(texts);
}

/** Puts text between the markers of that name. */
function withSection(page: string, name: string, text: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before, rest] = page.split(open);
  const after = rest?.split(close)[1];
  if (before === undefined || after === undefined) throw new Error(`no page has a section ${name}`);
  return `${before}${open}\n${text}\n${close}${after}`;
}

/** A page, with the text between its markers written anew. */
async function filledIn(file: string, sections: Readonly<Record<string, string>>): Promise<readonly [string, string]> {
  const page = await readFile(file, 'utf8');
  return [file, Object.entries(sections).reduce((text, [name, section]) => withSection(text, name, section), page)];
}

const pages = {
  'schema.graphql': printSubgraph(schema),
  '.env.example': environmentExample(),
  ...Object.fromEntries([
    await filledIn('README.md', { settings: settingsTable(), limits: limitsTable() }),
    await filledIn('docs/providers.md', { providers: providersTable() }),
    await filledIn('docs/services.md', await verifyExamples()),
  ]),
};

for (const [file, text] of Object.entries(pages)) {
  const fresh = (await readFile(file, 'utf8').catch(() => '')) === text;
  if (fresh) continue;
  if (process.argv.includes('--check')) {
    process.stderr.write(`${file} is not what the code says: run npm run generate\n`);
    process.exitCode = 1;
  } else {
    await writeFile(file, text);
    process.stdout.write(`${file} is written\n`);
  }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
