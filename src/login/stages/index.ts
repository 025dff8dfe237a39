import type { PromptOf, Stages } from '../stage.ts';

/** Every question that a login may have to answer, in order. Each way in meets all of them. */
export const stages = {} as const satisfies Stages;

/** Every prompt that a login may stop at. */
export type LoginPrompt = PromptOf<typeof stages>;
