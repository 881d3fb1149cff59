/** A value as a record's bytes say that it travels (F3). */
import { isUtf8 } from "node:buffer";
import { decodeUtf8, kindOf, type Value } from "../../shared/protocol/frame.ts";

export function classifyValue(bytes: Uint8Array | null): Value {
  const kind = kindOf(bytes, isUtf8);
  if (kind === "json" || kind === "text") return { kind, text: decodeUtf8(bytes ?? new Uint8Array()) ?? "" };
  if (kind === "bytes") return { kind, bytes: bytes ?? new Uint8Array() };
  return kind === "omitted" ? { kind, size: bytes?.length ?? 0 } : { kind };
}
