import type { Factor } from '../../src/factors/factor.ts';

/** A factor that nobody has outside of the tests: a word that was agreed upon, good for so many uses. */
export const watchword: Factor = {
  answer: 'CODE',
  type: 'Watchword',
  asked: true,
  guessable: true,
  async check(answer, held) {
    for (const authenticator of held) {
      const { word, uses } = authenticator.data as { word: string; uses: number };
      if (answer === word && uses > 0) return { authenticator, data: { word, uses: uses - 1 } };
    }
    return null;
  },
};
