/**
 * What an object asks its shard about tokens, and what it knows of the shard's revocations: L10 of INTERNALS.md. While the
 * shard has none, nothing is asked.
 */
import { type Checked, encodeCheck } from "../../shared/protocol/link.ts";
import type { TokenNames } from "../../shared/protocol/revocation.ts";
import { NO_REVOCATIONS, type RevocationFacts } from "./attachment.ts";

/** The milliseconds that the sockets of a revoked token have left; `lost`: there is no link, or not that one any more. */
export type Clearing = "clear" | "lost" | { readonly leftMs: number };

export interface Question {
  readonly token: TokenNames;
  done(clearing: Clearing): void;
}

/** A message of some kilobytes, so that others get a turn. */
const TOKENS_PER_CHECK = 256;

export class Clearance {
  readonly #say: (frame: string) => void;
  /** undefined while there is no link. */
  #count: number | undefined;
  /** Of the last question on this link, over a hibernation, too: an answer to an earlier one may be under way. */
  #lastId = 0;
  readonly #open = new Map<number, readonly Question[]>();
  /** Whether something must be saved. */
  #isChanged = false;

  constructor(say: (frame: string) => void) {
    this.#say = say;
  }

  /** undefined while there is no link, and so nobody knows. */
  get count(): number | undefined {
    return this.#count;
  }

  facts(): RevocationFacts {
    this.#isChanged = false;
    return { count: this.#count ?? 0, lastId: this.#lastId, isOpen: this.#open.size > 0 };
  }

  /** Whether `facts` have changed since they were last asked for. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** There is another link, or the one of before a hibernation. */
  linked({ count, lastId }: RevocationFacts = NO_REVOCATIONS): void {
    this.unlinked();
    this.#count = count;
    this.#lastId = lastId;
  }

  unlinked(): void {
    this.#count = undefined;
    const lost = [...this.#open.values()].flat();
    this.#open.clear();
    for (const question of lost) question.done("lost");
  }

  /** The shard has told how many it has. */
  told(count: number): void {
    this.#count = count;
    this.#isChanged = true;
  }

  /** Answered at once where nothing needs to be asked, or nobody can be. */
  ask(questions: readonly Question[]): void {
    if (questions.length === 0) return;
    if (this.#count === undefined || this.#count === 0) {
      for (const question of questions) question.done(this.#count === 0 ? "clear" : "lost");
      return;
    }
    this.#isChanged = true;
    for (let i = 0; i < questions.length; i += TOKENS_PER_CHECK) {
      const some = questions.slice(i, i + TOKENS_PER_CHECK);
      const id = ++this.#lastId;
      this.#open.set(id, some);
      this.#say(
        encodeCheck(
          id,
          some.map(({ token }) => token),
        ),
      );
    }
  }

  checked({ id, revoked, revocations }: Checked): void {
    this.told(revocations);
    const questions = this.#open.get(id);
    this.#open.delete(id);
    const left = new Map(revoked);
    for (const [place, question] of (questions ?? []).entries()) {
      const leftMs = left.get(place);
      question.done(leftMs === undefined ? "clear" : { leftMs });
    }
  }
}
