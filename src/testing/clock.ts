import { parseDuration } from '../lib/duration.ts';

/** A clock that only moves when told. */
export interface TestClock {
  /** The time of the gateway. */
  (): Date;
  /**
   * Moves it on.
   * @param by milliseconds, or a duration as settings write it: `30s`, `15m`, `12h`, `7d`
   */
  advance(by: number | string): void;
}

/** The clock of a gateway: `real` is the time of the machine; a date is where it stands still; or one that there is. */
export type ChosenClock = 'real' | Date | TestClock;

/** Makes the clock that was chosen; if none was, one that stands still from now on. */
export function clockOf(chosen: ChosenClock = new Date()): TestClock {
  if (chosen === 'real') return Object.assign(() => new Date(), { advance: () => undefined });
  return typeof chosen === 'function' ? chosen : standingStill(chosen);
}

function standingStill(start: Date): TestClock {
  let now = start.getTime();
  return Object.assign(() => new Date(now), {
    advance(by: number | string) {
      now += millisecondsOf(by);
    },
  });
}

function millisecondsOf(by: number | string): number {
  const milliseconds = typeof by === 'number' ? by : parseDuration(by);
  if (milliseconds === null) throw new Error(`${by} is not a duration such as 30s, 15m, 12h or 7d`);
  return milliseconds;
}
