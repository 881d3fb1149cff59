/** What was revoked or lifted, as it goes down one uplink, and whether the shard has stored it: D4 of INTERNALS.md. */

import type { Revocation } from "../../shared/protocol/revocation.ts";
import { encodeRevocations } from "../../shared/protocol/uplink.ts";

/** In a frame: some 100 KB. */
const AT_ONCE = 500;

export class ShardRevocations {
  readonly #say: (frame: string) => void;
  /** By the number of the frame. */
  readonly #told = new Map<number, (stored: boolean) => void>();
  #last = 0;

  constructor(say: (frame: string) => void) {
    this.#say = say;
  }

  /** Resolves with whether they are stored there; false when the uplink has ended. Never rejects. */
  async tell(revocations: readonly Revocation[]): Promise<boolean> {
    const parts: Promise<boolean>[] = [];
    for (let from = 0; from < revocations.length; from += AT_ONCE) {
      const id = ++this.#last;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      this.#told.set(id, resolve);
      this.#say(encodeRevocations(id, revocations.slice(from, from + AT_ONCE)));
      parts.push(promise);
    }
    return (await Promise.all(parts)).every((stored) => stored);
  }

  learnt(id: number): void {
    this.#told.get(id)?.(true);
    this.#told.delete(id);
  }

  ended(): void {
    for (const resolve of this.#told.values()) resolve(false);
    this.#told.clear();
  }
}
