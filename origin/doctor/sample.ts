/** The first records of some partitions of a topic: what they are like, and what that means for subscribers. Pure. */
import { type Finding, hint } from "./finding.ts";

export class Sample {
  #records = 0;
  #keyless = 0;
  #values = 0;
  readonly #framed = { keys: 0, values: 0 };
  /** Whose ids were found before a key or a value. */
  readonly #schemas = new Set<number>();

  get records(): number {
    return this.#records;
  }

  add(key: Uint8Array | null, value: Uint8Array | null): void {
    this.#records++;
    if (key === null) this.#keyless++;
    if (value !== null) this.#values++;
    for (const [what, bytes] of [
      ["keys", key],
      ["values", value],
    ] as const) {
      const schema = schemaOf(bytes);
      if (schema === undefined) continue;
      this.#framed[what]++;
      this.#schemas.add(schema);
    }
  }

  /** None if there is nothing to say. */
  findings(what: string): Finding[] {
    const findings: Finding[] = [];
    const says = (text: string, todo: string) => findings.push(hint(what, text, todo));
    if (this.#keyless > 0)
      says(
        `${this.#keyless} of the first ${this.#records} records have no key, and so no URL`,
        "have producers set a key",
      );
    const ids = [...this.#schemas].sort((a, b) => a - b).slice(0, NAMED);
    const registry = `of a schema registry (a byte 0, then an id: ${ids.join(", ")}${this.#schemas.size > NAMED ? ", …" : ""})`;
    if (this.#framed.values > 0)
      says(
        `${this.#framed.values} of the first ${this.#values} values begin with the five bytes ${registry}: subscribers get them as they are, in binary`,
        "expose a topic that has them as JSON, or have subscribers decode them",
      );
    if (this.#framed.keys > 0)
      says(
        `${this.#framed.keys} of the first ${this.#records - this.#keyless} keys begin with the five bytes ${registry}, which are in their URLs, too ($b64.…), and change with the schema`,
        "have producers write keys as plain text",
      );
    return findings;
  }
}

/** Ids that are listed. */
const NAMED = 5;

/**
 * The id of the schema, in Confluent's framing: a byte 0, the id in four, what is encoded. A number of eight bytes may begin
 * likewise; ids begin at 1, so that small ones don't.
 */
function schemaOf(bytes: Uint8Array | null): number | undefined {
  if (bytes === null || bytes.length < 6 || bytes[0] !== 0) return undefined;
  const id = new DataView(bytes.buffer, bytes.byteOffset).getInt32(1);
  return id > 0 ? id : undefined;
}
