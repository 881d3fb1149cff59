/** What a GET asks, and what it is told (U8, N8, H5). Pure. */
import type { Answer } from "../../../shared/core/answer.ts";
import { ERRORS, type ErrorCode } from "../../../shared/protocol/codes.ts";
import { type Frame, timestampOf } from "../../../shared/protocol/frame.ts";
import { formatPosition, merge, NOTHING, type Position } from "../../../shared/protocol/position.ts";
import type { LatestValue, OriginSays } from "../../../shared/protocol/uplink.ts";
import type { OriginItem } from "../uplinks/origin-items.ts";
import { Incoming } from "./incoming.ts";

/**
 * The latest record of an endpoint. Positions as text, since this travels between objects; `oldest` is where its history
 * begins, as far as all sources said.
 */
export type LatestResult =
  | {
      readonly kind: "update";
      readonly position: string;
      readonly oldest: string | undefined;
      readonly frame: Frame;
      /** What its value is, if the frame doesn't say so itself (U8). */
      readonly value: LatestValue | undefined;
    }
  /** The key has no record. */
  | { readonly kind: "none"; readonly position: string; readonly oldest: string | undefined }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string };

export const UNAVAILABLE: LatestResult = {
  kind: "error",
  code: "unavailable",
  message: "the source of this endpoint can't be reached just now",
};

/** A question for those who asked for one path. */
export interface Get {
  readonly id: number;
  readonly path: string;
  /** The value isn't asked for, if it is large. */
  readonly brief?: boolean;
  done(result: LatestResult): void;
}

type LatestHead = Extract<OriginSays, { readonly kind: "latest" }>;

/** What one slice answered. */
export type GetAnswer =
  | {
      readonly kind: "latest";
      readonly position: Position;
      readonly oldest: Position | undefined;
      readonly notHome: boolean;
      readonly frame?: Frame;
      readonly value?: LatestValue | undefined;
    }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string };

/** Puts together what slices answer to one question. */
export class GetAnswers {
  readonly #path: string;
  readonly #incoming = new Incoming<LatestHead>();

  constructor({ path }: Get) {
    this.#path = path;
  }

  /** The answer of a slice, if it is whole with this. */
  take(slice: number, { says, frame }: OriginItem): GetAnswer | undefined {
    if (says === undefined) {
      const answer = this.#incoming.take(slice, frame);
      return typeof answer === "string" ? undefined : answerOf(answer);
    }
    if (says.kind === "latest" && says.endpoint === this.#path) {
      const answer = this.#incoming.begin(slice, says);
      return answer && answerOf(answer);
    }
    if (says.kind !== "error") return undefined;
    this.drop(slice);
    return { kind: "error", ...readError(says.error) };
  }

  /** The origin of a slice has gone, or another one is asked: what it was about to say won't come. */
  drop(slice: number): void {
    this.#incoming.drop(slice);
  }
}

function answerOf({ head, frames: [frame] }: Answer<LatestHead>): GetAnswer {
  const { position, oldest, notHome = false, count, value } = head;
  return {
    kind: "latest",
    position,
    oldest,
    notHome: notHome && count === 0,
    ...(frame && { frame, value }),
  };
}

/** What those slices say that know of the key, or would; undefined if none does. */
export function latestOf(answers: Iterable<GetAnswer>): LatestResult | undefined {
  const position = new Map<string, number>();
  const oldest = new Map<string, number>();
  let isKnown = false;
  let isOldestKnown = true;
  let newest:
    | { readonly frame: Frame; readonly value: LatestValue | undefined; readonly at: number }
    | undefined;
  for (const answer of answers) {
    if (answer.kind !== "latest" || answer.notHome) continue;
    isKnown = true;
    merge(position, answer.position);
    merge(oldest, answer.oldest ?? NOTHING);
    isOldestKnown &&= answer.oldest !== undefined;
    const { frame, value } = answer;
    const at = (frame === undefined ? undefined : timestampOf(frame)) ?? 0;
    if (frame !== undefined && (newest === undefined || at > newest.at)) newest = { frame, value, at };
  }
  if (!isKnown) return undefined;
  const both = {
    position: formatPosition(position),
    oldest: isOldestKnown ? formatPosition(oldest) : undefined,
  };
  if (newest === undefined) return { kind: "none", ...both };
  return { kind: "update", ...both, frame: newest.frame, value: newest.value };
}

/** What is told if nobody else will answer. `isWhole`: each slice has. */
export function resultOf(answers: readonly GetAnswer[], isWhole: boolean): LatestResult {
  const error = answers.find((answer) => answer.kind === "error");
  // Each of them says that it is another one's: there are partitions that not all of them know of yet.
  const nothing = formatPosition(NOTHING);
  const nobody = { kind: "none", position: nothing, oldest: nothing } as const;
  return latestOf(answers) ?? error ?? (isWhole ? nobody : UNAVAILABLE);
}

/** An origin of a later version may know codes that this edge doesn't. */
function readError(error: { code: string; message: string }): { code: ErrorCode; message: string } {
  const code = Object.hasOwn(ERRORS, error.code) ? (error.code as ErrorCode) : "internal";
  return { code, message: error.message };
}
