/**
 * Records of a batch that is compressed, handed on in parts. A batch may be thousands of times larger unpacked, so
 * it is never whole in memory unless it is small: it is unpacked piece by piece, as its parts are taken, with memory that
 * all reads share.
 */

import { turns } from "../reading/turns.ts";
import type { SourceRecord } from "../source/source.ts";
import { decompress, unpacking } from "./compression.ts";
import type { Lease, Memory } from "./memory.ts";
import { PART_BYTES, type Part, type Parts } from "./parts.ts";
import { MAX_UNPACKED_BYTES, PIECE_BYTES, TooLargeError, WHOLE_BYTES } from "./unpacked.ts";
import { type LengthAt, NeedsRoom, wholeItems } from "./whole-items.ts";

export type NextRecord = () => SourceRecord | undefined;

export interface Packed {
  /** They name the codec. */
  readonly attributes: number;
  readonly bytes: Buffer;
  readonly lengthAt: LengthAt;
  /** Of a run, what its last record is numbered by; set if all records count from the last one of all. */
  readonly lastOf?: (run: Buffer) => number | undefined;
  readonly contents: (last: number | undefined) => Contents;
}

/** Reads the runs of a batch in order. */
export interface Contents {
  readonly records: (run: Buffer) => NextRecord;
  /** After the last run. Throws WireError if something is missing. */
  readonly end: () => void;
}

interface Whole {
  readonly run: Buffer;
  readonly contents: Contents;
}

/** Memory that all reads of a source share, and when this one ends. */
export interface Unpacking {
  readonly memory: Memory;
  readonly signal: AbortSignal;
}

/** What a zlib stream holds ready, a piece that is cut into records, and a part of those before it. */
const BESIDES = 4 * PIECE_BYTES + PART_BYTES;

const NOTHING_TO_DO = () => {};

/** As most are: small, and there is room for them. Else returns false, whether or not it has begun. Throws WireError. */
export function* atOnce(packed: Packed, parts: Parts, { memory }: Unpacking): Generator<Part, boolean, void> {
  const lease = memory.takeNow(WHOLE_BYTES);
  if (lease === undefined) return false;
  try {
    const whole = wholeOf(packed);
    if (whole === undefined) return false;
    const next = whole.contents.records(whole.run);
    while (parts.fill(next)) {
      lease.rest(NOTHING_TO_DO);
      yield parts.take();
      if (!lease.wake()) return false;
    }
    whole.contents.end();
    return true;
  } finally {
    lease.release();
  }
}

/** All of a batch at once; undefined if it is too large for that. Throws WireError. */
function wholeOf({ attributes, bytes, lastOf, contents }: Packed): Whole | undefined {
  try {
    const run = decompress(attributes, bytes, WHOLE_BYTES);
    return { run, contents: contents(lastOf?.(run)) };
  } catch (error) {
    if (error instanceof TooLargeError) return undefined;
    throw error;
  }
}

/**
 * Adds the records, as soon as there is memory for it, and yields parts as they fill. Each try begins anew and passes over
 * what was handed on before. Throws WireError; rejects when the signal aborts.
 */
export async function* partsWithin(
  packed: Packed,
  parts: Parts,
  { memory, signal }: Unpacking,
): AsyncGenerator<Part, undefined, void> {
  const { memory: codec, pieces } = unpacking(packed.attributes, packed.bytes);
  let isSmall = true;
  for (let room = PART_BYTES; ; ) {
    // What waits keeps nothing that others wait for.
    if (!parts.isEmpty) yield parts.take();
    const lease = await memory.take(isSmall ? WHOLE_BYTES : codec + BESIDES + room, signal);
    try {
      const whole: Whole | undefined = isSmall ? wholeOf(packed) : undefined;
      isSmall = whole !== undefined;
      if (whole !== undefined) {
        if (yield* partsOfRuns([whole.run], whole.contents, parts, lease)) return;
      } else if (lease.bytes > WHOLE_BYTES) {
        const runs = () => wholeItems(pieces(), packed.lengthAt, room);
        const contents = packed.contents(packed.lastOf && (await lastOfAll(runs(), packed.lastOf)));
        if (yield* partsOfRuns(runs(), contents, parts, lease)) return;
      }
    } catch (error) {
      if (!(error instanceof NeedsRoom)) throw error;
      if (error.bytes > MAX_UNPACKED_BYTES) throw new TooLargeError(MAX_UNPACKED_BYTES);
      room = error.bytes;
    } finally {
      lease.release();
    }
  }
}

/** Returns false if the lease was lost before the end. */
async function* partsOfRuns(
  runs: AsyncGenerator<Buffer> | readonly Buffer[],
  contents: Contents,
  parts: Parts,
  lease: Lease,
): AsyncGenerator<Part, boolean, void> {
  for await (const run of runs) {
    // Many pieces may come at once; and if all is passed over there is no part after which others have their turn.
    if (turns.isSpent()) await turns.later();
    const next = contents.records(run);
    while (parts.fill(next)) {
      lease.rest(() => "return" in runs && void runs.return(undefined));
      yield parts.take();
      if (!lease.wake()) return false;
    }
  }
  contents.end();
  return true;
}

async function lastOfAll(
  runs: AsyncIterable<Buffer>,
  lastOf: (run: Buffer) => number | undefined,
): Promise<number | undefined> {
  let last: number | undefined;
  for await (const run of runs) {
    last = lastOf(run) ?? last;
    if (turns.isSpent()) await turns.later();
  }
  return last;
}
