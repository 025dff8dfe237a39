import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { djangoRecoveryCodes } from '../../src/lib/django-recovery-codes.ts';
import { adoptPasskey, readAttestation } from '../../src/lib/foreign-passkey.ts';
import { readForeignRecoveryCode } from '../../src/lib/recovery-code.ts';
import { matchTotp, readTotpSecret, totpSecretOf } from '../../src/lib/totp.ts';

const ATTESTATION =
  'o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YViU69q3JHqY58lN6TBm0kw4r9mgyimONoS0ersRMfzJ8gBBAAAAAQAAAAAAAAAAAAAAAAAAAAAAEAABAgMEBQYHCAkKCwwNDg-lAQIDJiABIVggszgV2eeF4FVyonwi88kFrEMYL9pUyuhoHw1I9rJ3otUiWCB_WpRxZn6RBajpti2G1mRdP-vmR9LJRdj613kUamLmSA';

describe('the recovery codes of django-allauth', () => {
  const seed = '0123456789abcdef0123456789abcdef01234567'.repeat(2);
  test.each([
    [10, 8, '08052618 06523113 30059108 19983745 38424910 57267661 29924438 52141827 30737572 47518387'],
    [3, 6, '531455 197355 851793'],
    [3, 10, '1261470230 8469917141 6895131736'],
  ])('are derived from their seed: %i of %i digits', (count, digits, codes) => {
    expect(djangoRecoveryCodes(seed, { count, digits })).toEqual(codes.split(' '));
  });

  test('are read as they are typed, and their letters as they are', () => {
    expect(
      ['0805-2618', ' 08 05 26 18 ', 'aBc12-xYz89', '12', '', 'x'.repeat(65), 'über12'].map(readForeignRecoveryCode),
    ).toEqual(['08052618', '08052618', 'aBc12xYz89', null, null, null, null]);
  });
});

describe('the attestation object of a registration', () => {
  const attested = readAttestation(ATTESTATION);

  test('says what has to be known of a passkey', () => {
    expect(attested).toMatchObject({
      id: 'AAECAwQFBgcICQoLDA0ODw',
      backupEligible: false,
      backedUp: false,
      userVerified: false,
      aaguid: '00000000-0000-0000-0000-000000000000',
      rpIdHash: createHash('sha256').update('testserver').digest(),
    });
  });

  test('makes a passkey of ours, for its own RP ID and with a sound key', () => {
    if (!attested) throw new Error('not read');
    const foreign = {
      ...attested,
      name: null,
      counter: 0,
      transports: ['usb', 5],
      discoverable: false,
      userHandle: 'Mg',
    };
    expect(adoptPasskey(foreign, 'testserver')).toMatchObject({ transports: ['usb'], userHandle: 'Mg', counter: 0 });
    expect(adoptPasskey(foreign, 'example.com')).toBe('OTHER_RP_ID');
    for (const unfit of [{ publicKey: 'AAAA' }, { id: '' }, { id: 'a=' }, { counter: Number.NaN }, { counter: -1 }])
      expect(adoptPasskey({ ...foreign, ...unfit }, 'testserver')).toBe('UNFIT');
    // What was not kept is not taken for the better.
    const unknown = { ...foreign, userVerified: null, rpIdHash: null };
    expect(adoptPasskey({ ...unknown, backupEligible: null }, 'any')).toMatchObject({
      userVerified: false,
      backupEligible: null,
    });
    expect(adoptPasskey({ ...unknown, backupEligible: true }, 'any')).toMatchObject({ userVerified: true });
  });

  test('may be anything at all', () => {
    for (const text of ['', 'AAAA', 'o2NmbXQ', '!!', ATTESTATION.slice(0, 200)])
      expect(readAttestation(text)).toBeNull();
  });
});

describe('the secret of an app', () => {
  test('is base32 of 128 bits and more', () => {
    expect(readTotpSecret('jbsw y3dp-ehpk 3pxp jbsw y3dp ehpk 3pxp')).toBe('JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP');
    for (const none of ['JBSWY3DPEHPK3PXP', '', '0189'.repeat(8), 'gAAAAABk+sealed/=='.repeat(3)])
      expect(readTotpSecret(none)).toBeNull();
  });

  test('may be bytes, and used with SHA-256 or SHA-512 (RFC 6238, appendix B)', () => {
    const digits = '1234567890';
    const at = { now: new Date(59_000), lastStep: null };
    for (const [algorithm, bytes, code] of [
      ['sha1', 20, '94287082'],
      ['sha256', 32, '46119246'],
      ['sha512', 64, '90693936'],
    ] as const) {
      const secret = totpSecretOf(Buffer.from(digits.repeat(7).slice(0, bytes)));
      expect(matchTotp(code, secret, { period: 30, digits: 8, algorithm }, at)).toBe(1);
    }
  });
});
