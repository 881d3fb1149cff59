/**
 * What code of the edge attaches to a socket: a copy, as structured clones are. Nearly always that is plain, and then it is copied
 * object by object, which takes a tenth of the time, and no memory for the strings in it; all else is kept as `node:v8` writes it.
 */
import { deserialize, serialize } from "node:v8";

export type Attachment = { readonly plain: unknown } | { readonly bytes: Buffer };

const MOST_BYTES = 16_384;
/** Of an object that is looked through: each is compared with all before it, since what is there twice isn't plain. */
const MOST_OBJECTS = 64;

/** Throws if it can't be copied, or is too large. */
export function attachmentOf(value: unknown): Attachment {
  const copy = new PlainCopy();
  const plain = copy.of(value);
  if (copy.mostBytes <= MOST_BYTES) return { plain };
  const bytes = serialize(value);
  if (bytes.length > MOST_BYTES)
    throw new Error(
      `A WebSocket 'attachment' cannot be larger than ${MOST_BYTES} bytes.'attachment' was ${bytes.length} bytes.`,
    );
  return { bytes };
}

/** Another copy. */
export function copyOf(attachment: Attachment): unknown {
  return "bytes" in attachment ? deserialize(attachment.bytes) : new PlainCopy().of(attachment.plain);
}

/** What its form may add to a value: kind, length and padding. */
const FORM_BYTES = 12;

class PlainCopy {
  /** No fewer than its structured clone would take; infinite if it may be something that isn't plain. */
  mostBytes = 0;
  /** The objects so far. */
  readonly #seen: object[] = [];

  of(value: unknown): unknown {
    this.mostBytes += FORM_BYTES;
    if (typeof value === "string") this.mostBytes += 2 * value.length;
    else if (typeof value === "object" && value !== null) return this.#ofObject(value);
    else if (typeof value !== "number" && !isPlain(value)) this.#refuse();
    return value;
  }

  #refuse(): void {
    this.mostBytes = Number.POSITIVE_INFINITY;
  }

  #ofObject(object: object): object {
    const isTooMuch = this.mostBytes > MOST_BYTES || this.#seen.length === MOST_OBJECTS;
    if (isTooMuch || this.#seen.includes(object)) {
      this.#refuse();
      return object;
    }
    this.#seen.push(object);
    return Array.isArray(object) ? this.#ofArray(object) : this.#ofFields(object);
  }

  #ofArray(array: readonly unknown[]): readonly unknown[] {
    // It has holes, or fields beside its members.
    if (Object.keys(array).length !== array.length) this.#refuse();
    return array.map((member) => this.of(member));
  }

  #ofFields(object: object): object {
    if (Object.getPrototypeOf(object) !== Object.prototype) {
      this.#refuse();
      return object;
    }
    const copy: Record<string, unknown> = { ...object };
    for (const name in copy) {
      this.mostBytes += FORM_BYTES + 2 * name.length;
      const member = copy[name];
      const copied = this.of(member);
      if (copied === member) continue;
      // To write it would be to change what it inherits.
      if (name === "__proto__") this.#refuse();
      else copy[name] = copied;
    }
    return copy;
  }
}

function isPlain(value: unknown): boolean {
  return value === null || ["undefined", "boolean"].includes(typeof value);
}
