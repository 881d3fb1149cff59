/** A value in as many characters as a tile has room for. Text as it was produced; what it says is never markup. */
import type { Value } from "../../shared/protocol/frame.ts";

const HEX_BYTES = 32;

export function preview(value: Value, maxCharacters: number): string {
  switch (value.kind) {
    case "json":
    case "text":
      return value.text.length > maxCharacters ? `${value.text.slice(0, maxCharacters)}…` : value.text;
    case "bytes":
      return `${sizeText(value.bytes.length)}: ${hex(value.bytes, Math.min(HEX_BYTES, Math.floor(maxCharacters / 3)))}`;
    case "tombstone":
      return "deleted (tombstone)";
    case "omitted":
      return `${sizeText(value.size)}, too large to travel`;
  }
}

/** What a tile says of the kind of its value. */
export function kindText(value: Value): string {
  return { json: "JSON", text: "text", bytes: "binary", tombstone: "tombstone", omitted: "omitted" }[
    value.kind
  ];
}

function hex(bytes: Uint8Array, most: number): string {
  const shown = [...bytes.subarray(0, most)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return bytes.length > most ? `${shown} …` : shown;
}

function sizeText(bytes: number): string {
  return `${bytes.toLocaleString("en")} ${bytes === 1 ? "byte" : "bytes"}`;
}
