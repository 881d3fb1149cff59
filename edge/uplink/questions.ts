/**
 * Questions that a shard has put to its active origins for someone who waits for the answer (U8, N8, H5). Bounded in
 * number and in time.
 */
import { ERRORS, type ErrorCode } from "../../shared/protocol/codes.ts";
import { type Frame, timestampOf } from "../../shared/protocol/frame.ts";
import { formatPosition, type Position } from "../../shared/protocol/position.ts";
import type { OriginSays } from "../../shared/protocol/uplink.ts";

/** The latest record of an endpoint. `position` as text, since this travels between objects. */
export type LatestResult =
  | { readonly kind: "update"; readonly position: string; readonly frame: Frame }
  /** The key has no record. */
  | { readonly kind: "none"; readonly position: string }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string };

interface Question {
  readonly path: string;
  readonly send: (id: number, range: number) => void;
  readonly cancel: () => void;
  readonly resolve: (result: LatestResult) => void;
  /** Of ranges, by number; without its update, where that is still to come. */
  readonly answers: Map<number, Answer>;
  /** Ranges that have yet to answer, and are waited for. */
  readonly waitedFor: Set<number>;
  /** Whoever knows may answer alone by now. */
  isLate: boolean;
}

type Answer =
  | { readonly kind: "latest"; readonly position: Position; readonly elsewhere: boolean; frame?: Frame }
  | { readonly kind: "coming"; readonly position: Position }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string };

const OPEN_QUESTIONS = 1_000;
const ANSWER_MS = 5_000;
/** A range that says nothing for so long isn't waited for, where another one can answer. */
const PATIENCE_MS = 1_000;

const UNAVAILABLE: LatestResult = {
  kind: "error",
  code: "unavailable",
  message: "the source of this endpoint can't be reached just now",
};

export class Questions {
  readonly #after: (ms: number, run: () => void) => () => void;
  readonly #open = new Map<number, Question>();
  #count = 1;
  #next = 1;

  constructor(after: (ms: number, run: () => void) => () => void) {
    this.#after = after;
  }

  /**
   * `send` puts the question to the origin of a range, of which those with an origin are `present`. Never rejects.
   */
  ask(path: string, present: readonly number[], send: Question["send"]): Promise<LatestResult> {
    if (present.length === 0) return Promise.resolve(UNAVAILABLE);
    if (this.#open.size >= OPEN_QUESTIONS) {
      const message = "too many questions are open";
      return Promise.resolve({ kind: "error", code: "overloaded", message });
    }
    const id = this.#next++;
    return new Promise((resolve) => {
      const late = this.#after(ANSWER_MS, () => this.#close(id, UNAVAILABLE));
      const slow = this.#count > 1 ? this.#after(PATIENCE_MS, () => this.#hurry(id)) : undefined;
      const cancel = () => {
        late();
        slow?.();
      };
      const waitedFor = new Set(present);
      const answers = new Map<number, Answer>();
      this.#open.set(id, { path, send, cancel, resolve, answers, waitedFor, isLate: false });
      for (const range of present) send(id, range);
    });
  }

  /** A control frame to the asker of a question. Answers that come too late are dropped. */
  answer(id: number, range: number, says: OriginSays): void {
    const question = this.#open.get(id);
    if (question === undefined) return;
    if (says.kind === "error") {
      question.answers.set(range, { kind: "error", ...readError(says.error) });
      question.waitedFor.delete(range);
    }
    if (says.kind === "latest" && says.endpoint === question.path) {
      const { position, elsewhere = false } = says;
      if (says.count === 0) question.answers.set(range, { kind: "latest", position, elsewhere });
      else question.answers.set(range, { kind: "coming", position });
      if (says.count === 0) question.waitedFor.delete(range);
    }
    this.#settle(id, question);
  }

  /** The update of an answer. */
  update(id: number, range: number, frame: Frame): void {
    const question = this.#open.get(id);
    const answer = question?.answers.get(range);
    if (question === undefined || answer?.kind !== "coming") return;
    // A view would take the whole message along to whoever asked.
    const own = typeof frame === "string" ? frame : frame.slice();
    const { position } = answer;
    question.answers.set(range, { kind: "latest", position, elsewhere: false, frame: own });
    question.waitedFor.delete(range);
    this.#settle(id, question);
  }

  /** Another origin answers for a range from now on: it is asked what is open. */
  repeat(range: number): void {
    for (const [id, question] of this.#open) {
      question.answers.delete(range);
      question.waitedFor.add(range);
      question.send(id, range);
    }
  }

  /** The origin of a range has gone, and with it all that it was asked. */
  lost(range: number): void {
    for (const [id, question] of [...this.#open]) {
      question.waitedFor.delete(range);
      if (question.answers.get(range)?.kind === "coming") question.answers.delete(range);
      this.#settle(id, question);
    }
  }

  /** There is another number of ranges: what is open is asked again as these come. */
  restart(count: number): void {
    this.#count = count;
    for (const { answers, waitedFor } of this.#open.values()) {
      answers.clear();
      waitedFor.clear();
    }
  }

  #hurry(id: number): void {
    const question = this.#open.get(id);
    if (question === undefined) return;
    question.isLate = true;
    this.#settle(id, question);
  }

  #settle(id: number, question: Question): void {
    const isOver = question.waitedFor.size === 0;
    const latest = isOver || question.isLate ? latestOf(question) : undefined;
    if (!isOver && latest === undefined) return;
    const all = [...question.answers.values()];
    const error = all.find((answer) => answer.kind === "error");
    // Each of them says that it is another one's: there are partitions that not all of them know of yet.
    const nobody = { kind: "none", position: formatPosition(new Map()) } as const;
    this.#close(id, latest ?? error ?? (all.length < this.#count ? UNAVAILABLE : nobody));
  }

  #close(id: number, result: LatestResult): void {
    const question = this.#open.get(id);
    this.#open.delete(id);
    question?.cancel();
    question?.resolve(result);
  }
}

/** What those ranges say that know of the key, or would; undefined where none does. */
function latestOf({ answers }: Question): LatestResult | undefined {
  const here = [...answers.values()].filter((answer) => answer.kind === "latest" && !answer.elsewhere);
  if (here.length === 0) return undefined;
  const position = new Map<string, number>();
  let newest: { readonly frame: Frame; readonly at: number } | undefined;
  for (const answer of here) {
    if (answer.kind !== "latest") continue;
    for (const [epoch, offset] of answer.position) position.set(epoch, offset);
    const at = (answer.frame === undefined ? undefined : timestampOf(answer.frame)) ?? 0;
    if (answer.frame !== undefined && (newest === undefined || at > newest.at))
      newest = { frame: answer.frame, at };
  }
  const text = formatPosition(position);
  if (newest === undefined) return { kind: "none", position: text };
  return { kind: "update", position: text, frame: newest.frame };
}

/** An origin of a later version may know codes that this edge doesn't. */
function readError(error: { code: string; message: string }): { code: ErrorCode; message: string } {
  const code = Object.hasOwn(ERRORS, error.code) ? (error.code as ErrorCode) : "internal";
  return { code, message: error.message };
}
