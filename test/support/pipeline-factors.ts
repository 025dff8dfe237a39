import { totpCode } from './factors.ts';

/** What somebody shows for a second factor. */
export type ModelAnswer =
  | { readonly totp: string }
  | { readonly recoveryCode: string }
  | { readonly passkey: Assertion };

/** What a passkey says: which it is, over which challenge, and whether it verified its user. */
export interface Assertion {
  readonly credentialId: string;
  readonly challenge: string;
  readonly verified: boolean;
}

export type FactorKind = 'TOTP' | 'PASSKEY' | 'RECOVERY_CODE';

const STEP = 30_000;

/** The further factors of one account of the model. */
export class HeldFactors {
  totp: { readonly secret: string; readonly person: string; lastStep: number } | null = null;
  passkeys: { readonly credentialId: string; readonly verifies: boolean }[] = [];
  codes: { readonly person: string; readonly unused: Set<string> } | null = null;
  /** Rises with every change: what was trusted before it is trusted no more. */
  revision = 0;

  /** Whether logins ask for one. Recovery codes alone are none. */
  get protects(): boolean {
    return this.totp !== null || this.passkeys.length > 0;
  }

  get kinds(): FactorKind[] {
    const passkeys = this.passkeys.map(() => 'PASSKEY' as const);
    return [...(this.totp ? ['TOTP' as const] : []), ...passkeys, ...(this.codes ? ['RECOVERY_CODE' as const] : [])];
  }

  addTotp(secret: string, person: string, now: number): void {
    this.totp = { secret, person, lastStep: Math.floor(now / STEP) };
    this.revision += 1;
  }

  addPasskey(credentialId: string, verifies: boolean): void {
    this.passkeys.push({ credentialId, verifies });
    this.revision += 1;
  }

  giveCodes(person: string): void {
    this.codes = { person, unused: new Set() };
    this.revision += 1;
  }

  /** With the last one that logins ask for, the recovery codes go. */
  remove(kind: FactorKind, credentialId: string | null): void {
    const last = this.isLast(kind);
    if (kind === 'TOTP') this.totp = null;
    if (kind === 'PASSKEY') this.passkeys = this.passkeys.filter((each) => each.credentialId !== credentialId);
    if (kind === 'RECOVERY_CODE' || last) this.codes = null;
    this.revision += 1;
  }

  isLast(kind: FactorKind): boolean {
    return kind !== 'RECOVERY_CODE' && this.kinds.filter((each) => each !== 'RECOVERY_CODE').length === 1;
  }

  /** The step that a code is for, if it is that of now or the one before. */
  static stepOf(secret: string, code: string, now: number): number | null {
    const at = [now, now - STEP].find((instant) => totpCode(secret, new Date(instant)) === code);
    return at === undefined ? null : Math.floor(at / STEP);
  }

  /**
   * Whether an answer is right. Right ones are used up.
   * @param question the challenge that was given, if it is not too old, and whether a passkey must verify its user
   */
  take(answer: ModelAnswer, now: number, question: { challenge: string | null; verifies: boolean }): boolean {
    if ('totp' in answer) {
      const step = this.totp && HeldFactors.stepOf(this.totp.secret, answer.totp, now);
      if (!this.totp || step === null || step <= this.totp.lastStep) return false;
      this.totp.lastStep = step;
      return true;
    }
    if ('recoveryCode' in answer) return this.codes?.unused.delete(answer.recoveryCode) ?? false;
    const { credentialId, challenge, verified } = answer.passkey;
    const passkey = this.passkeys.find((each) => each.credentialId === credentialId);
    if (!passkey || challenge !== question.challenge) return false;
    return !question.verifies || (passkey.verifies && verified);
  }
}
