/** Answers of slices to one asker that are on their way: the head has come, and not yet all updates of the body. */
import { type Answer, AnswerAssembly, type Head } from "../../../shared/core/answer.ts";
import type { Frame } from "../../../shared/protocol/frame.ts";

export class Incoming<H extends Head> {
  /** By slice: those of which more is to come. */
  readonly #assemblies = new Map<number, AnswerAssembly<H>>();

  get isEmpty(): boolean {
    return this.#assemblies.size === 0;
  }

  /** The head of an answer: one before it has broken off. Returns the answer if it is whole. */
  begin(slice: number, head: H): Answer<H> | undefined {
    const assembly = new AnswerAssembly<H>();
    const answer = assembly.begin(head);
    if (answer === undefined) this.#assemblies.set(slice, assembly);
    else this.drop(slice);
    return answer;
  }

  /** An update has come: live, as part of an answer, or as the last part of it. */
  take(slice: number, frame: Frame): "live" | "part" | Answer<H> {
    const answer = this.#assemblies.get(slice)?.take(frame) ?? "live";
    if (typeof answer !== "string") this.drop(slice);
    return answer;
  }

  /** What has come from a slice counts no more. */
  drop(slice: number): void {
    this.#assemblies.delete(slice);
  }
}
