/** How much one answer holds (U5), whether it comes from the index or was read again from the log. */
import { LIMITS } from "../../shared/protocol/limits.ts";

export interface AnswerBounds {
  readonly updates: number;
  readonly bytes: number;
}

export const ANSWER_BOUNDS: AnswerBounds = { updates: LIMITS.answerUpdates, bytes: LIMITS.answerBytes };
