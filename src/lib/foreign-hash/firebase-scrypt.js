import { createCipheriv, scryptSync } from 'node:crypto';
import { fromBase64, isKey, isSame } from './bytes.js';
import { isAffordable, isCost, memoryOf } from './scrypt.js';

const FORM =
  /^\$fbscrypt\$v=1,n=(?<memory>\d{1,2}),r=(?<r>\d{1,3}),p=(?<p>\d{1,2}),ss=(?<separator>[A-Za-z0-9+/=]*),sk=(?<signer>[A-Za-z0-9+/=]+)\$(?<salt>[A-Za-z0-9+/=]+)\$(?<key>[A-Za-z0-9+/=]+)$/;

/**
 * Firebase's own scrypt: what scrypt derives encrypts the signer key of the project (AES-256-CTR, counter from 0), and
 * the result is what is stored. Written as Supabase Auth does, with the parameters of the project: memory cost (the
 * exponent of N), rounds (r), salt separator, signer key.
 * @param {string} text
 * @returns {import('../foreign-hash.js').ForeignHash | null}
 */
export function readFirebaseScrypt(text) {
  const {
    memory,
    r,
    p,
    separator = '',
    signer: signing = '',
    salt: salting = '',
    key: written = '',
  } = FORM.exec(text)?.groups ?? {};
  const cost = { N: 2 ** Number(memory), r: Number(r), p: Number(p) };
  const [key, salt, suffix, signer] = [written, salting, separator, signing].map(fromBase64);
  if (!isKey(key ?? null) || !key || !salt || !suffix || !signer || signer.length !== key.length || !isCost(cost))
    return null;
  return {
    format: 'firebase_scrypt',
    affordable: isAffordable(cost),
    verify(password) {
      const options = { ...cost, maxmem: memoryOf(cost) };
      const derived = scryptSync(password, Buffer.concat([salt, suffix]), 32, options);
      const cipher = createCipheriv('aes-256-ctr', derived, Buffer.alloc(16));
      return isSame(Buffer.concat([cipher.update(signer), cipher.final()]), key);
    },
  };
}
