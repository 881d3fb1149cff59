/** How a value becomes what an application works with, and the other way round. JSON, unless a stream has a codec or a schema. */
import type { PublishedValue } from "../publisher.ts";

/** A value as it was produced. */
export interface RawValue {
  /** `json` and `text` are both text; `bytes` is what isn't UTF-8. */
  readonly kind: "json" | "text" | "bytes";
  /** Character for character, JSON too; undefined if the value is no text. */
  text(): string | undefined;
  /** Parsed, each time anew; undefined if it isn't JSON. */
  json(): unknown;
  bytes(): Uint8Array;
}

export interface Codec<T> {
  /** Whatever it throws is thrown to whoever reads `value`. */
  decode(raw: RawValue): T;
  /** Only for what is published. */
  encode?(value: T): string | Uint8Array;
}

/** What validates: a schema of Zod, or whatever else has a `parse`. */
export interface Schema<T> {
  parse(value: unknown): T;
}

/** How the values of a stream are read: as JSON, through a schema, or by a codec. */
export interface Reading<T> {
  readonly schema?: Schema<T> | undefined;
  /** In place of JSON; a schema doesn't count beside it. */
  readonly codec?: Codec<T> | undefined;
}

/** JSON parsed; other text as a string, and what is no text as bytes. */
const anything: Codec<unknown> = {
  decode: (raw) => (raw.kind === "json" ? raw.json() : (raw.text() ?? raw.bytes())),
};

/** The text of a value, whatever it means. */
export const textCodec: Codec<string> = {
  decode(raw) {
    const text = raw.text();
    if (text === undefined) throw new TypeError("the value is no text");
    return text;
  },
  encode: (value) => value,
};

/** The bytes of a value as they were produced. */
export const bytesCodec: Codec<Uint8Array> = { decode: (raw) => raw.bytes(), encode: (value) => value };

/** Of what no schema has looked at, the type is what its reader says. */
export function decoderOf<T>({ codec, schema }: Reading<T>): (raw: RawValue) => T {
  if (codec !== undefined) return (raw) => codec.decode(raw);
  return (raw) => (schema === undefined ? (anything.decode(raw) as T) : schema.parse(anything.decode(raw)));
}

/** JSON, but for bytes, and for a codec that can encode. Throws TypeError for what JSON has no form of. */
export function encoded<T>(value: T, codec?: Codec<T>): PublishedValue {
  if (codec?.encode !== undefined) return codec.encode(value);
  if (value instanceof Uint8Array) return value;
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) throw new TypeError("JSON has no form of this value; delete() makes a tombstone");
  return json;
}
