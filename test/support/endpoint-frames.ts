/** What comes down the link of an endpoint's object, for one endpoint with offsets in the epoch `e`. */
import { encodeAttached } from "../../shared/protocol/attach.ts";
import { encodeUpdate, type Frame } from "../../shared/protocol/frame.ts";
import { SEPARATOR } from "../../shared/protocol/message.ts";
import { type Position, parsePosition } from "../../shared/protocol/position.ts";

export const PATH = "/quotes/A";

export function update(offset: number, previous?: number, text = String(offset)): string {
  const value = { kind: "json", text } as const;
  const frame = encodeUpdate({
    endpoint: PATH,
    epoch: "e",
    offset,
    previous,
    timestamp: undefined,
    headers: [],
    value,
  });
  return String(frame);
}

export function position(text: string): Position {
  const parsed = parsePosition(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

interface AnswerOptions {
  readonly id?: number;
  readonly recovered?: boolean;
  readonly cause?: "horizon" | "epoch" | "ahead";
  /** In each epoch of the two ends, unless told: all of it is held. */
  readonly horizon?: string;
  readonly head?: string;
  readonly withoutHome?: boolean;
}

/** An answer as one message of the link. */
export function answer(
  from: string,
  to: string,
  frames: readonly Frame[],
  options: AnswerOptions = {},
): string {
  const { id = 1, recovered, cause, head = to } = options;
  const whole = new Map([...position(from), ...position(to)].map(([epoch]) => [epoch, 0]));
  const horizon = options.horizon === undefined ? whole : position(options.horizon);
  const verdict = { position: position(from), head: position(head), recovered, cause };
  const attached = {
    endpoint: PATH,
    id,
    verdict,
    to: position(to),
    horizon,
    count: frames.length,
    withoutHome: options.withoutHome,
  };
  return [encodeAttached(attached), ...frames].join(SEPARATOR);
}
