/** Answers of slices that are on their way to whoever asked (U5, U8). */
import { type Answer, AnswerAssembly, type Head } from "../../shared/core/answer.ts";
import type { Frame } from "../../shared/protocol/frame.ts";

export class Incoming<H extends Head> {
  /** By slice, those that aren't whole. */
  readonly #assemblies = new Map<number, AnswerAssembly<H>>();

  get isEmpty(): boolean {
    return this.#assemblies.size === 0;
  }

  /** The head of an answer: one before it has broken off. Returns the answer if it has no body to wait for. */
  begin(slice: number, head: H): Answer<H> | undefined {
    const assembly = this.#assemblies.get(slice) ?? new AnswerAssembly<H>();
    const answer = assembly.begin(head);
    if (answer === undefined) this.#assemblies.set(slice, assembly);
    else this.drop(slice);
    return answer;
  }

  /** An update: live, as part of an answer, or as the last part of it. */
  take(slice: number, frame: Frame): "live" | "part" | Answer<H> {
    const taken = this.#assemblies.get(slice)?.take(frame) ?? "live";
    if (taken !== "live" && taken !== "part") this.drop(slice);
    return taken;
  }

  /** What has come from a slice counts no more. */
  drop(slice: number): void {
    this.#assemblies.delete(slice);
  }
}
