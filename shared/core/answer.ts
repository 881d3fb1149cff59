/**
 * Answers as they travel: a head that says how many updates follow, and these (U5, U8 of INTERNALS.md). Every hop writes
 * them and puts them together here, so that head and body can't disagree.
 */
import { type Attached, encodeAttached } from "../protocol/attach.ts";
import type { Frame } from "../protocol/frame.ts";
import { ownedFrame } from "./owned.ts";

/** What the frames of an answer begin with. */
export interface Head {
  /** That many update frames follow. */
  readonly count: number;
}

export interface Answer<H extends Head> {
  readonly head: H;
  readonly frames: readonly Frame[];
}

/** The answer to an attach, ready to be sent, in this order and with nothing of its endpoint in between. */
export function encodeAnswer(attached: Omit<Attached, "count">, frames: readonly Frame[]): Frame[] {
  return [encodeAttached({ ...attached, count: frames.length }), ...frames];
}

/**
 * Puts the answers together that come one after the other from one source, about one endpoint. What comes while none is
 * under way came live.
 */
export class AnswerAssembly<H extends Head> {
  #underWay: { readonly head: H; readonly frames: Frame[] } | undefined;

  /** Of the answer whose body is not all there yet. */
  get head(): H | undefined {
    return this.#underWay?.head;
  }

  /** A head has come. What was under way has broken off. Returns the answer if it has no body to wait for. */
  begin(head: H): Answer<H> | undefined {
    const answer = { head, frames: [] };
    this.#underWay = head.count > 0 ? answer : undefined;
    return head.count > 0 ? undefined : answer;
  }

  /** An update has come: live, as part of an answer, or as the last part of it. What is kept is a copy (owned.ts). */
  take(frame: Frame): "live" | "part" | Answer<H> {
    const answer = this.#underWay;
    if (answer === undefined) return "live";
    answer.frames.push(ownedFrame(frame));
    if (answer.frames.length < answer.head.count) return "part";
    this.#underWay = undefined;
    return answer;
  }

  /** The source has gone, or what came can't be read: what was under way won't be whole. */
  breakOff(): void {
    this.#underWay = undefined;
  }
}
