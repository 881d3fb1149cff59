/**
 * Questions that a shard puts to its active origins for those who wait for the answer (U8, N8, H5). Bounded in number
 * and in time.
 *
 * Many ask for one path at once. An answer to a question that was put before somebody came may be older than what they
 * have seen already, on a socket or by another GET. So they don't share the question that is under way, but all of them
 * the next one:
 *
 *   GET ──▶ nothing under way ──▶ put ──▶ answered
 *     └───▶ something under way ──▶ waits, with whoever else comes, until that is answered, or for 1 s ──▶ put
 */
import { ownedFrame } from "../../shared/core/owned.ts";
import { ERRORS, type ErrorCode } from "../../shared/protocol/codes.ts";
import { type Frame, timestampOf } from "../../shared/protocol/frame.ts";
import { formatPosition, merge, type Position } from "../../shared/protocol/position.ts";
import type { OriginSays } from "../../shared/protocol/uplink.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { SILENT_SLICE_MS } from "./scattered-ask.ts";

/** The latest record of an endpoint. `position` as text, since this travels between objects. */
export type LatestResult =
  | { readonly kind: "update"; readonly position: string; readonly frame: Frame }
  /** The key has no record. */
  | { readonly kind: "none"; readonly position: string }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string };

export interface QuestionsPorts {
  after(ms: number, run: () => void): () => void;
  /** Numbers of the slices that have an active origin. */
  present(): readonly number[];
  /** Puts a question to the active origin of a slice. */
  put(path: string, id: number, slice: number): void;
}

interface Question {
  readonly id: number;
  readonly path: string;
  /** All came before it was put. */
  readonly askers: ((result: LatestResult) => void)[];
  /** Of slices, by number; without its update, where that is still to come. */
  readonly answers: Map<number, Answer>;
  /** Slices that have yet to answer, and are waited for. */
  readonly waitedFor: Set<number>;
  /** Whoever knows may answer alone by now. */
  isLate: boolean;
  /** Ends what would make it unavailable. */
  readonly endDeadline: () => void;
  /** Ends what would put it though another one is under way, or, once it was put, let those answer who can. */
  endPatience: () => void;
}

type Answer =
  | { readonly kind: "latest"; readonly position: Position; readonly notHome: boolean; frame?: Frame }
  | { readonly kind: "coming"; readonly position: Position }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string };

/** Of a shard, those that wait for their turn included. */
const OPEN_QUESTIONS = 1_000;
/** For the answers of a shard. An object gets a thousand requests a second at most, and nobody waits for longer than 5 s. */
const ASKERS = 5_000;
/** From when the first of its askers came. */
const ANSWER_MS = TIME_LIMITS.questionMs;
/** For so long those who want the next question put wait for the one that is under way. */
const UNDER_WAY_MS = TIME_LIMITS.questionUnderWayMs;

const UNAVAILABLE: LatestResult = {
  kind: "error",
  code: "unavailable",
  message: "the source of this endpoint can't be reached just now",
};
const OVERLOADED: LatestResult = {
  kind: "error",
  code: "overloaded",
  message: "too many questions are open",
};

export class Questions {
  readonly #ports: QuestionsPorts;
  /** What was put and not answered, by id. */
  readonly #open = new Map<number, Question>();
  /** By path: the question for which the next one waits. */
  readonly #underWay = new Map<string, Question>();
  /** By path: the question that is put when the one under way no longer is. */
  readonly #next = new Map<string, Question>();
  #askers = 0;
  #count = 1;
  #lastId = 0;

  constructor(ports: QuestionsPorts) {
    this.#ports = ports;
  }

  /** Never rejects. */
  ask(path: string): Promise<LatestResult> {
    if (this.#ports.present().length === 0) return Promise.resolve(UNAVAILABLE);
    const isFull = this.#open.size + this.#next.size >= OPEN_QUESTIONS && !this.#next.has(path);
    if (isFull || this.#askers >= ASKERS) return Promise.resolve(OVERLOADED);
    return new Promise((resolve) => {
      this.#askers++;
      const waiting = this.#next.get(path);
      const question = waiting ?? this.#begin(path);
      question.askers.push(resolve);
      if (waiting !== undefined) return;
      const before = this.#underWay.get(path);
      if (before === undefined) this.#put(question);
      else this.#wait(question, before);
    });
  }

  /** A control frame to the asker of a question. Answers that come too late are dropped. */
  answer(id: number, slice: number, says: OriginSays): void {
    const question = this.#open.get(id);
    if (question === undefined) return;
    if (says.kind === "error") {
      question.answers.set(slice, { kind: "error", ...readError(says.error) });
      question.waitedFor.delete(slice);
    }
    if (says.kind === "latest" && says.endpoint === question.path) {
      const { position, notHome = false } = says;
      if (says.count === 0) question.answers.set(slice, { kind: "latest", position, notHome });
      else question.answers.set(slice, { kind: "coming", position });
      if (says.count === 0) question.waitedFor.delete(slice);
    }
    this.#settle(question);
  }

  /** The update of an answer. */
  update(id: number, slice: number, frame: Frame): void {
    const question = this.#open.get(id);
    const answer = question?.answers.get(slice);
    if (question === undefined || answer?.kind !== "coming") return;
    const { position } = answer;
    question.answers.set(slice, { kind: "latest", position, notHome: false, frame: ownedFrame(frame) });
    question.waitedFor.delete(slice);
    this.#settle(question);
  }

  /** Another origin answers for a slice from now on: it is asked what is open. */
  repeat(slice: number): void {
    for (const [id, question] of this.#open) {
      question.answers.delete(slice);
      question.waitedFor.add(slice);
      this.#ports.put(question.path, id, slice);
    }
  }

  /** The origin of a slice has gone, and with it all that it was asked. */
  lost(slice: number): void {
    for (const question of [...this.#open.values()]) {
      question.waitedFor.delete(slice);
      if (question.answers.get(slice)?.kind === "coming") question.answers.delete(slice);
      this.#settle(question);
    }
  }

  /** There is another number of slices: what is open is asked again as these come. */
  restart(count: number): void {
    this.#count = count;
    for (const { answers, waitedFor } of this.#open.values()) {
      answers.clear();
      waitedFor.clear();
    }
  }

  #begin(path: string): Question {
    const question: Question = {
      id: ++this.#lastId,
      path,
      askers: [],
      answers: new Map(),
      waitedFor: new Set(),
      isLate: false,
      endDeadline: this.#ports.after(ANSWER_MS, () => this.#close(question, UNAVAILABLE)),
      endPatience: () => undefined,
    };
    return question;
  }

  #wait(question: Question, before: Question): void {
    this.#next.set(question.path, question);
    question.endPatience = this.#ports.after(UNDER_WAY_MS, () => this.#goOn(before));
  }

  #put(question: Question): void {
    const { id, path } = question;
    question.endPatience();
    const present = this.#ports.present();
    if (present.length === 0) {
      this.#close(question, UNAVAILABLE);
      return;
    }
    if (this.#count > 1)
      question.endPatience = this.#ports.after(SILENT_SLICE_MS, () => this.#hurry(question));
    this.#open.set(id, question);
    this.#underWay.set(path, question);
    for (const slice of present) question.waitedFor.add(slice);
    for (const slice of present) this.#ports.put(path, id, slice);
  }

  #hurry(question: Question): void {
    question.isLate = true;
    this.#settle(question);
  }

  /** Nobody but its askers waits for this question any more. */
  #goOn(question: Question): void {
    const { path } = question;
    if (this.#underWay.get(path) !== question) return;
    this.#underWay.delete(path);
    const next = this.#next.get(path);
    this.#next.delete(path);
    if (next !== undefined) this.#put(next);
  }

  #settle(question: Question): void {
    const isOver = question.waitedFor.size === 0;
    const latest = isOver || question.isLate ? latestOf(question) : undefined;
    if (!isOver && latest === undefined) return;
    const all = [...question.answers.values()];
    const error = all.find((answer) => answer.kind === "error");
    // Each of them says that it is another one's: there are partitions that not all of them know of yet.
    const nobody = { kind: "none", position: formatPosition(new Map()) } as const;
    this.#close(question, latest ?? error ?? (all.length < this.#count ? UNAVAILABLE : nobody));
  }

  #close(question: Question, result: LatestResult): void {
    question.endDeadline();
    question.endPatience();
    this.#open.delete(question.id);
    if (this.#next.get(question.path) === question) this.#next.delete(question.path);
    this.#askers -= question.askers.length;
    for (const answer of question.askers.splice(0)) answer(result);
    this.#goOn(question);
  }
}

/** What those slices say that know of the key, or would; undefined where none does. */
function latestOf({ answers }: Question): LatestResult | undefined {
  const here = [...answers.values()].filter((answer) => answer.kind === "latest" && !answer.notHome);
  if (here.length === 0) return undefined;
  const position = new Map<string, number>();
  let newest: { readonly frame: Frame; readonly at: number } | undefined;
  for (const answer of here) {
    if (answer.kind !== "latest") continue;
    merge(position, answer.position);
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
