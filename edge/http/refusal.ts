/** Why a subscribe is refused, in the terms of the close that says it (H9, C4 of PROTOCOL.md). */
import * as v from "valibot";
import { CLOSE, type CloseName } from "../../shared/protocol/codes.ts";
import { ErrorBodySchema } from "../../shared/protocol/schemas.ts";

/** A name of a close code, and a sentence. */
export interface Refusal {
  readonly code: CloseName;
  readonly message: string;
}

const ErrorAnswer = v.object({ error: ErrorBodySchema });

/** Why an object doesn't take a subscriber. Throws if it doesn't say. */
export async function refusalOf(answer: Response): Promise<Refusal> {
  const { code, message } = v.parse(ErrorAnswer, await answer.json()).error;
  return refusal(code, message);
}

/** From an error. Throws if no close says the same. */
export function refusal(code: string, message: string): Refusal {
  if (!isCloseName(code)) throw new Error(`a subscriber was refused with ${code}: ${message}`);
  return { code, message };
}

function isCloseName(code: string): code is CloseName {
  return Object.hasOwn(CLOSE, code);
}
