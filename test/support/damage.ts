/** Damages a record batch on a broker's disk, which must be down, in ways that it hands on to readers unseen. */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { withChecksum } from "./record-batch.ts";

/** What the checksum is of begins here, with the codec. */
const ATTRIBUTES_AT = 21;

export const DAMAGES = {
  "a codec that doesn't exist": (batch: Buffer) => {
    batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) | 0x07, ATTRIBUTES_AT);
    withChecksum(batch);
  },
  "a bit that flipped": (batch: Buffer) => {
    const last = batch.length - 2;
    batch.writeUInt8(batch.readUInt8(last) ^ 0x01, last);
  },
} as const;

export type Damage = keyof typeof DAMAGES;

/** @param at Where the batch begins in the segment. Returns what undoes it, whatever was written behind it since. */
export function damage(segment: string, at: number, how: Damage): () => void {
  const all = readFileSync(segment);
  const whole = all.subarray(at, at + 12 + all.readInt32BE(at + 8));
  const damaged = Buffer.from(whole);
  DAMAGES[how](damaged);
  write(segment, at, damaged);
  return () => write(segment, at, whole);
}

function write(file: string, at: number, bytes: Buffer): void {
  const open = openSync(file, "r+");
  writeSync(open, bytes, 0, bytes.length, at);
  closeSync(open);
}
