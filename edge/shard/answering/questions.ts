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
import { TIME_LIMITS } from "../../time-limits.ts";
import type { Gets } from "./answering.ts";
import { type Get, type LatestResult, UNAVAILABLE } from "./latest.ts";

export interface QuestionsPorts {
  after(ms: number, run: () => void): () => void;
  /** Whether a slice has an active origin. */
  isPresent(): boolean;
  /** The way to these. */
  gets(): Gets;
}

interface Question extends Get {
  /** All came before it was put. */
  readonly askers: ((result: LatestResult) => void)[];
  /** Ends what would make it unavailable. */
  readonly endDeadline: () => void;
  /** Ends what would put it though another one is under way. */
  endWaiting: () => void;
}

/** Of a shard, those that wait for their turn included. */
const OPEN_QUESTIONS = 1_000;
/** For the answers of a shard. An object gets a thousand requests a second at most, and nobody waits for longer than 5 s. */
const ASKERS = 5_000;
/** From when the first of its askers came. */
const ANSWER_MS = TIME_LIMITS.questionMs;
/** For so long those who want the next question put wait for the one that is under way. */
const UNDER_WAY_MS = TIME_LIMITS.questionUnderWayMs;

const OVERLOADED: LatestResult = {
  kind: "error",
  code: "overloaded",
  message: "too many questions are open",
};

export class Questions {
  readonly #ports: QuestionsPorts;
  /** What was put and not answered, by id. */
  readonly #open = new Map<number, Question>();
  /** By path, brief questions apart: the question for which the next one waits. */
  readonly #underWay = new Map<string, Question>();
  /** Likewise: the question that is put when the one under way no longer is. */
  readonly #next = new Map<string, Question>();
  #askers = 0;
  #lastId = 0;

  constructor(ports: QuestionsPorts) {
    this.#ports = ports;
  }

  /** Never rejects. */
  ask(path: string, brief = false): Promise<LatestResult> {
    if (!this.#ports.isPresent()) return Promise.resolve(UNAVAILABLE);
    const subject = subjectOf({ path, brief });
    const isFull = this.#open.size + this.#next.size >= OPEN_QUESTIONS && !this.#next.has(subject);
    if (isFull || this.#askers >= ASKERS) return Promise.resolve(OVERLOADED);
    return new Promise((resolve) => {
      this.#askers++;
      const waiting = this.#next.get(subject);
      const question = waiting ?? this.#begin(path, brief);
      question.askers.push(resolve);
      if (waiting !== undefined) return;
      const before = this.#underWay.get(subject);
      if (before === undefined) this.#put(question);
      else this.#wait(question, before);
    });
  }

  /** What was put and not answered. */
  open(): Iterable<Get> {
    return this.#open.values();
  }

  #begin(path: string, brief: boolean): Question {
    const question: Question = {
      id: ++this.#lastId,
      path,
      brief,
      askers: [],
      done: (result) => this.#close(question, result),
      endDeadline: this.#ports.after(ANSWER_MS, () => this.#close(question, UNAVAILABLE)),
      endWaiting: () => undefined,
    };
    return question;
  }

  #wait(question: Question, before: Question): void {
    this.#next.set(subjectOf(question), question);
    question.endWaiting = this.#ports.after(UNDER_WAY_MS, () => this.#goOn(before));
  }

  #put(question: Question): void {
    question.endWaiting();
    this.#open.set(question.id, question);
    this.#underWay.set(subjectOf(question), question);
    this.#ports.gets().put(question);
  }

  /** Nobody but its askers waits for this question any more. */
  #goOn(question: Question): void {
    const subject = subjectOf(question);
    if (this.#underWay.get(subject) !== question) return;
    this.#underWay.delete(subject);
    const next = this.#next.get(subject);
    this.#next.delete(subject);
    if (next !== undefined) this.#put(next);
  }

  #close(question: Question, result: LatestResult): void {
    question.endDeadline();
    question.endWaiting();
    if (this.#open.delete(question.id)) this.#ports.gets().drop(question.id);
    const subject = subjectOf(question);
    if (this.#next.get(subject) === question) this.#next.delete(subject);
    this.#askers -= question.askers.length;
    for (const answer of question.askers.splice(0)) answer(result);
    this.#goOn(question);
  }
}

/** Those that may share an answer have the same one. No path begins with a question mark. */
function subjectOf({ path, brief }: Pick<Get, "path" | "brief">): string {
  return brief ? `?${path}` : path;
}
