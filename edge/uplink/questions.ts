/**
 * Questions that a shard has put to its active origin for someone who waits for the answer (U8, H5). Bounded in number
 * and in time.
 */
import { ERRORS, type ErrorCode } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { formatPosition } from "../../shared/protocol/position.ts";
import type { OriginSays } from "../../shared/protocol/uplink.ts";

/** The latest record of an endpoint. `position` as text, since this travels between objects. */
export type LatestResult =
  | { readonly kind: "update"; readonly position: string; readonly frame: Frame }
  /** The key has no record. */
  | { readonly kind: "none"; readonly position: string }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string };

interface Question {
  readonly path: string;
  readonly send: (id: number) => void;
  readonly cancel: () => void;
  readonly resolve: (result: LatestResult) => void;
  /** Of an answer whose update is still to come. */
  position: string | undefined;
}

const OPEN_QUESTIONS = 1_000;
const ANSWER_MS = 5_000;

const UNAVAILABLE: LatestResult = {
  kind: "error",
  code: "unavailable",
  message: "the source of this endpoint can't be reached just now",
};

export class Questions {
  readonly #after: (ms: number, run: () => void) => () => void;
  readonly #open = new Map<number, Question>();
  #next = 1;

  constructor(after: (ms: number, run: () => void) => () => void) {
    this.#after = after;
  }

  /** `send` puts the question to the origin; it is undefined where there is none to put it to. Never rejects. */
  ask(path: string, send: ((id: number) => void) | undefined): Promise<LatestResult> {
    if (send === undefined) return Promise.resolve(UNAVAILABLE);
    if (this.#open.size >= OPEN_QUESTIONS) {
      const message = "too many questions are open";
      return Promise.resolve({ kind: "error", code: "overloaded", message });
    }
    const id = this.#next++;
    return new Promise((resolve) => {
      const cancel = this.#after(ANSWER_MS, () => this.#close(id, UNAVAILABLE));
      this.#open.set(id, { path, send, cancel, resolve, position: undefined });
      send(id);
    });
  }

  /** A control frame to the asker of a question. Answers that come too late are dropped. */
  answer(id: number, says: OriginSays): void {
    const question = this.#open.get(id);
    if (question === undefined) return;
    if (says.kind === "error") this.#close(id, { kind: "error", ...readError(says.error) });
    if (says.kind !== "latest" || says.endpoint !== question.path) return;
    const position = formatPosition(says.position);
    if (says.count === 0) this.#close(id, { kind: "none", position });
    else question.position = position;
  }

  /** The update of an answer. */
  update(id: number, frame: Frame): void {
    const position = this.#open.get(id)?.position;
    if (position === undefined) return;
    // A view would take the whole message along to whoever asked.
    const own = typeof frame === "string" ? frame : frame.slice();
    this.#close(id, { kind: "update", position, frame: own });
  }

  /** Another origin answers from now on: it is asked what the one before has not answered. */
  repeat(): void {
    for (const [id, question] of this.#open) {
      question.position = undefined;
      question.send(id);
    }
  }

  /** The origin has gone, and with it all that it was asked. */
  fail(): void {
    for (const id of [...this.#open.keys()]) this.#close(id, UNAVAILABLE);
  }

  #close(id: number, result: LatestResult): void {
    const question = this.#open.get(id);
    this.#open.delete(id);
    question?.cancel();
    question?.resolve(result);
  }
}

/** An origin of a later version may know codes that this edge doesn't. */
function readError(error: { code: string; message: string }): { code: ErrorCode; message: string } {
  const code = Object.hasOwn(ERRORS, error.code) ? (error.code as ErrorCode) : "internal";
  return { code, message: error.message };
}
