import { readUplinkKey } from "../../shared/config/uplink-key.ts";

/** Texts that nobody may ever see: those of the start, and of those that have been put in their place the newest. */
const MAX_LATER = 100;

export class Secrets implements Iterable<string> {
  readonly #first: readonly string[];
  readonly #later = new Set<string>();

  constructor(first: readonly string[]) {
    this.#first = first;
  }

  /** What was there before may still be quoted by an error that is under way. */
  add(...secrets: readonly string[]): void {
    for (const secret of secrets) {
      this.#later.delete(secret);
      this.#later.add(secret);
    }
    for (const oldest of this.#later) {
      if (this.#later.size <= MAX_LATER) break;
      this.#later.delete(oldest);
    }
  }

  *[Symbol.iterator](): Iterator<string> {
    yield* this.#first;
    yield* this.#later;
  }
}

/**
 * What is to be hidden of a file: all of it, and of each uplink key (`kid:name:secret`) the secret; such keys may stand behind
 * addresses. PEM is told by its form.
 */
export function secretsIn(texts: Iterable<string>): string[] {
  return [...texts].flatMap((text) => {
    if (text.includes("-----BEGIN ")) return [];
    const whole = text.trim();
    const keys = whole
      .split(/[,\n]/)
      .map((entry) => readUplinkKey(entry.trim().replace(/^https?:\/\/\S+\s+/, "")));
    return [whole, ...keys.flatMap((read) => (read.ok ? [new TextDecoder().decode(read.key.secret)] : []))];
  });
}
