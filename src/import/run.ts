import type { Database, Db } from '../infra/database.ts';
import { type EmailAddress, parseEmailAddress } from '../lib/email-address.ts';
import { parsePhoneNumber } from '../lib/phone-number.ts';
import * as importedPeople from '../records/imported-people.ts';
import { type Decision, decide, type Owners } from './decide.ts';
import { type Draft, draftOf, isSameMailbox, type Target } from './draft.ts';
import { Known, soughtBy } from './known.ts';
import type { Entry, Place, Refusal, Source } from './person.ts';
import { type Report, Tally } from './report.ts';

/** People that are written at once: enough to make the way to the database cheap, few enough for its table of locks. */
const BATCH = 200;

export interface ImportOptions {
  /** By which people of this system are known again. */
  readonly name: string;
  /** Reads, and writes nothing. */
  readonly dryRun: boolean;
  readonly target: Target;
  /** Told from time to time how many were read. */
  readonly onProgress?: (read: number) => void;
}

/**
 * Takes the people of another system in. May be cut short and run again at any time: who was taken is not looked at
 * again, and nothing is ever written for somebody in part.
 * @throws when the source or the database cannot be gone on with; what was written until then stays
 */
export async function importPeople(database: Database, source: Source, options: ImportOptions): Promise<Report> {
  const tally = new Tally();
  const importer = createImporter(database, await ownersIn(source), tally, options);
  const seen = new Set<string>();
  const read = (entry: Entry): Found => {
    const { place } = entry;
    if ('refused' in entry) return { place, code: entry.refused, detail: entry.detail };
    const { id } = entry.person;
    if (!isId(id)) return { place, code: 'BROKEN', detail: 'id' };
    if (seen.has(id)) return { place, code: 'REPEATED', detail: null };
    seen.add(id);
    return { place, draft: draftOf(entry.person, options.target) };
  };
  let batch: Found[] = [];
  for await (const entry of source.read()) {
    batch.push(read(entry));
    if (batch.length < BATCH) continue;
    await importer(batch);
    options.onProgress?.(tally.read);
    batch = [];
  }
  await importer(batch);
  return tally.report(options.name, options.dryRun);
}

/** Somebody who may be taken. */
interface Candidate {
  readonly place: Place;
  readonly draft: Draft;
}

/** What an entry comes to: somebody, or why there is nobody. */
type Found = Candidate | { readonly place: Place; readonly code: Refusal; readonly detail: string | null };

const MAX_ID_LENGTH = 255;

/** Whether a text may be kept as somebody's id. */
function isId(id: string): boolean {
  return id !== '' && id.length <= MAX_ID_LENGTH && id.isWellFormed() && !id.includes('\0');
}

/** Reads who in the source has verified an address or a number first: whoever only says that it is theirs comes after. */
async function ownersIn(source: Source): Promise<Owners> {
  const owners = new Map<string, string>();
  for await (const entry of source.read()) {
    if ('refused' in entry) continue;
    const { id, emails, phone } = entry.person;
    const verified = [
      ...emails.filter(({ verified }) => verified).map(({ address }) => ownAddress(address)),
      phone?.verified ? parsePhoneNumber(phone.number) : null,
    ];
    for (const name of verified) if (name !== null && !owners.has(name)) owners.set(name, id);
  }
  return owners;
}

function ownAddress(written: string): EmailAddress | null {
  const address = parseEmailAddress(written);
  return address && isSameMailbox(written, address) ? address : null;
}

function createImporter(database: Database, owners: Owners, tally: Tally, { name, dryRun, target }: ImportOptions) {
  const decideAll = (batch: readonly Candidate[], known: Known) =>
    batch.map((candidate) => ({ ...candidate, decision: decide(candidate.draft, known, owners) }));
  // What would have been written is not in the database.
  const rehearsed = new Known();

  async function look(db: Db, batch: readonly Candidate[], known: Known) {
    const sought = soughtBy(batch.map(({ draft }) => draft));
    if (!dryRun) await importedPeople.lock(db, name, sought);
    known.add(await importedPeople.findHeld(db, name, sought));
    return decideAll(batch, known);
  }

  async function decideOn(batch: readonly Candidate[]) {
    if (dryRun || batch.length === 0) return look(database, batch, rehearsed);
    return database.transaction(async (db) => {
      const decided = await look(db, batch, new Known());
      const people = decided.flatMap(({ decision }) => (decision.kind === 'taken' ? [decision.person] : []));
      if (people.length > 0) await importedPeople.add(db, name, people, target.now);
      return decided;
    });
  }

  function note(batch: readonly Found[], decided: readonly (Candidate & { readonly decision: Decision })[]): void {
    const decisions = new Map(decided.map(({ draft, decision }) => [draft, decision]));
    for (const found of batch) {
      if ('code' in found) tally.refuse(found.place, found.code, found.detail);
      else tally.decide(found.place, found.draft, decisions.get(found.draft) ?? notStored(null));
    }
  }

  return async function take(batch: readonly Found[]): Promise<void> {
    const candidates = batch.filter((found): found is Candidate => 'draft' in found);
    try {
      note(batch, await decideOn(candidates));
    } catch (error) {
      const state = refusalOf(error);
      if (state === null) throw error;
      // One of them is not to the database's liking: the others go in all the same.
      if (batch.length > 1) for (const each of batch) await take([each]);
      else
        note(
          batch,
          candidates.map((candidate) => ({ ...candidate, decision: notStored(state) })),
        );
    }
  };
}

function notStored(detail: string | null): Decision {
  return { kind: 'refused', code: 'NOT_STORED', detail };
}

/** The code of an error that is about what was written: data, constraints, limits, or others who were writing. */
function refusalOf(error: unknown): string | null {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(?:22|23|40|54)[0-9A-Z]{3}$/.test(code) ? code : null;
}
