/**
 * How the control frames of uplinks and links are read: each is one JSON object, and one of its fields tells its kind.
 */
import * as v from "valibot";
import type { Decoded } from "./frame.ts";
import { parseObject } from "./json-object.ts";
import { describe } from "./schemas.ts";

export const VersionSchema = v.pipe(v.number(), v.integer(), v.minValue(1));
export const GenerationSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const ShardSchema = v.pipe(v.number(), v.integer(), v.minValue(0));

export type Reader<T> = (text: string) => Decoded<T>;

/** Tries the readers in turn by the field that tells a frame's kind; a frame of a later version is `unknown`. */
export function reader<T>(kinds: Record<string, (json: object) => Decoded<T>>, unknown: T): Reader<T> {
  const fields = Object.entries(kinds);
  return (text) => {
    const json = parseObject(text);
    if (json === undefined) return { ok: false, problem: "a frame is one JSON object" };
    for (const [field, read] of fields) if (field in json) return read(json);
    return { ok: true, value: unknown };
  };
}

/** Reads one kind of frame; `name` is what it is called if it is malformed. */
export function as<S extends v.GenericSchema, T>(
  name: string,
  schema: S,
  make: (output: v.InferOutput<S>) => T,
): (json: object) => Decoded<T> {
  return (json) => {
    const result = v.safeParse(schema, json);
    return result.success
      ? { ok: true, value: make(result.output) }
      : { ok: false, problem: `${name}: ${describe(result.issues)}` };
  };
}
