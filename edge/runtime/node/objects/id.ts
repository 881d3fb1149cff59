/** Which object one is: by the same hash of its name as on workerd, so that both find what either has stored. */
import { createHash, createHmac } from "node:crypto";
import { refuse } from "../refused.ts";

const HALF_BYTES = 16;

export class ObjectId {
  readonly name: string;
  readonly #kind: string;
  #text: string | undefined;

  /** @param kind of the class, which names its folder in the storage, too */
  constructor(kind: string, name: string) {
    this.#kind = kind;
    this.name = name;
  }

  /** Made when it is asked for: most objects are found by their names only. */
  toString(): string {
    this.#text ??= textOf(this.#kind, this.name);
    return this.#text;
  }
}

refuse(ObjectId.prototype, "DurableObjectId", ["equals", "jurisdiction"]);

function textOf(kind: string, name: string): string {
  const key = createHash("sha256").update(kind).digest();
  const first = createHmac("sha256", key).update(name).digest().subarray(0, HALF_BYTES);
  const second = createHmac("sha256", key).update(first).digest().subarray(0, HALF_BYTES);
  return Buffer.concat([first, second]).toString("hex");
}
