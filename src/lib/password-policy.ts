import { domainToUnicode } from 'node:url';

/** Why a new password may be refused. */
export const PASSWORD_REJECTIONS = ['TOO_SHORT', 'TOO_LONG', 'COMMON', 'BREACHED', 'TOO_SIMILAR', 'REFUSED'] as const;

/**
 * Why a new password is refused. TOO_SIMILAR: it is little more than the name of the person, their address or the
 * product; BREACHED: it is in a known breach; REFUSED: a rule of the operator's does not take it, or no hash can (a
 * text with lone surrogates is not Unicode).
 */
export type PasswordRejection = (typeof PASSWORD_REJECTIONS)[number];

/** The longest password, in code points. Longer ones are refused, never truncated. */
export const MAX_PASSWORD_LENGTH = 256;

/**
 * No text of this many UTF-16 units comes down to a password that is short enough. Normalizing takes time that grows
 * with the square of a run of combining marks, so what is longer is never normalized.
 */
const MAX_TYPED_LENGTH = 8 * MAX_PASSWORD_LENGTH;

const PRODUCT = 'postern';
const MAX_DECORATION = 4;
const DECORATION = /^[\p{N}\p{P}\p{S}\p{Z}]$/u;

/** Whether a text may be looked at as a password at all: it is Unicode, without lone surrogates, and not endless. */
export function canBePassword(typed: string): boolean {
  return typed.length <= MAX_TYPED_LENGTH && typed.isWellFormed();
}

/**
 * The one form of a password that is measured, hashed and compared: NFC, and nothing else (NIST SP 800-63B-4
 * §3.1.1.2). Blanks, letter case and compatibility characters stay as they are typed.
 */
export function normalizePassword(password: string): string {
  return password.normalize('NFC');
}

/**
 * Why a new password is refused (NIST SP 800-63B-4 §3.1.1.2). There are no rules of composition.
 * @param minLength in code points, after normalization
 * @param context addresses and names of the person; the words that follow from them are found here
 * @param isCommon whether a password is on the blocklist
 * @returns all reasons, or [] for a password that may be set
 */
export function rejections(
  password: string,
  { minLength, context }: { readonly minLength: number; readonly context: readonly string[] },
  isCommon: (password: string) => boolean,
): PasswordRejection[] {
  if (password.length > MAX_TYPED_LENGTH) return ['TOO_LONG'];
  // A lone surrogate has no UTF-8 form: every one of them would hash as the same replacement character.
  if (!password.isWellFormed()) return ['REFUSED'];
  const normalized = normalizePassword(password);
  const length = [...normalized].length;
  if (length > MAX_PASSWORD_LENGTH) return ['TOO_LONG'];
  const found: PasswordRejection[] = [];
  if (length < minLength) found.push('TOO_SHORT');
  // Full-width letters and the like make no other password of it for somebody who guesses.
  if (isCommon(normalized.normalize('NFKC'))) found.push('COMMON');
  if (isSimilar(normalized, context)) found.push('TOO_SIMILAR');
  return found;
}

function isSimilar(password: string, context: readonly string[]): boolean {
  const words = contextWords(context);
  return undecorated(fold(password)).some((body) => words.some((word) => isRepetition(body, word)));
}

function contextWords(context: readonly string[]): string[] {
  const words = [
    PRODUCT,
    ...context.flatMap((entry) => (entry.includes('@') ? wordsOfAddress(entry) : wordsOfName(entry))),
  ];
  return [...new Set(words.map((word) => fold(word.trim())))].filter((word) => word !== '');
}

function wordsOfAddress(address: string): string[] {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  // As somebody writes it who leaves the signs out: with the last part of the domain and without.
  const bare = [address, address.slice(0, address.lastIndexOf('.'))].map((text) => text.replace(/[^\p{L}\p{N}]/gu, ''));
  return [
    address,
    ...bare,
    local,
    ...[address.slice(at + 1), domainToUnicode(address.slice(at + 1))].flatMap(wordsOfDomain),
  ];
}

function wordsOfDomain(domain: string): string[] {
  const labels = domain.split('.').slice(0, -1);
  return [domain, labels.join('.'), ...labels];
}

function wordsOfName(name: string): string[] {
  const parts = name.split(/\s+/u);
  return [name, parts.join(''), ...parts];
}

/** The text, and the text without one to four digits or signs at its end. */
function undecorated(text: string): string[] {
  const characters = [...text];
  const bodies = [text];
  for (let last = characters.pop(); last && DECORATION.test(last); last = characters.pop()) {
    if (bodies.length > MAX_DECORATION) break;
    bodies.push(characters.join(''));
  }
  return bodies;
}

function isRepetition(text: string, word: string): boolean {
  return text !== '' && text.length % word.length === 0 && word.repeat(text.length / word.length) === text;
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}
