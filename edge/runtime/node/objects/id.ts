/** Which object one is: by the same hash of its name as on workerd, so that both find what either has stored. */
import { createHash, createHmac } from "node:crypto";

const HALF_BYTES = 16;

export class ObjectId {
  readonly name: string;
  readonly #text: string;

  /** @param kind of the class, which names its folder in the storage, too */
  constructor(kind: string, name: string) {
    this.name = name;
    const key = createHash("sha256").update(kind).digest();
    const first = createHmac("sha256", key).update(name).digest().subarray(0, HALF_BYTES);
    const second = createHmac("sha256", key).update(first).digest().subarray(0, HALF_BYTES);
    this.#text = Buffer.concat([first, second]).toString("hex");
  }

  toString(): string {
    return this.#text;
  }
}
