import { describe, expect, test } from "vitest";
import { Replica } from "../../../edge/endpoint/replica.ts";
import { BatchBlob, blobBytes, packBatch } from "../../../origin/index/batch-blob.ts";
import { ownedBytes, ownedFrame } from "../../../shared/core/owned.ts";
import { encodeUpdate, type Frame, routingOf } from "../../../shared/protocol/frame.ts";
import { packMessages, splitBinary } from "../../../shared/protocol/message.ts";

/** Bytes that stay in memory with what is kept. */
function behind(kept: Frame | undefined): number {
  return kept === undefined || typeof kept === "string" ? 0 : kept.buffer.byteLength;
}

/** Binary frames as they come in one message: views of it. */
function arriving(offsets: readonly number[]): readonly Frame[] {
  const frames = offsets.map((offset, i) =>
    encodeUpdate({
      ...{ endpoint: "/t/k", epoch: "e.0", offset, previous: offsets[i - 1], timestamp: undefined },
      ...{ headers: [], value: { kind: "bytes", bytes: new Uint8Array(1_000) } },
    }),
  );
  const [message] = packMessages(frames, 1_000_000);
  return (typeof message === "object" && splitBinary(message)) || [];
}

describe("what is kept owns its bytes", () => {
  test("a view is copied, whatever its class; what has nothing behind it is not", () => {
    const whole = new Uint8Array([1, 2, 3, 4]);
    expect(ownedBytes(whole)).toBe(whole);
    for (const view of [whole.subarray(1, 3), Buffer.from(whole.buffer).subarray(1, 3)]) {
      const owned = ownedBytes(view);
      expect([...owned]).toEqual([2, 3]);
      expect(owned.buffer.byteLength).toBe(2);
    }
    expect(ownedFrame("text")).toBe("text");
  });

  test("an object keeps of a message the updates that it has taken, and not the message", () => {
    const window = { updates: 10, ageMs: 60_000, bytes: 100_000 };
    const replica = new Replica(window, { position: new Map(), latest: "none", due: new Map() }, 0);
    for (const frame of arriving(Array.from({ length: 100 }, (_, i) => i))) {
      const routing = routingOf(frame);
      if (routing !== undefined) replica.apply(frame, routing, 0);
    }
    const resume = replica.decide(new Map([["e.0", 89]]), 0);
    const kept = resume.kind === "replay" ? resume.frames : [];
    expect(kept).toHaveLength(10);
    for (const frame of kept) expect(behind(frame)).toBe(frame.length);
    expect(replica.latest).toMatchObject({ frame: kept.at(-1) });
  });

  test("a record that is read from a batch of the index owns its key, value and headers", () => {
    const record = {
      ...{ epoch: "e.0", offset: 1, previous: undefined, arrival: 0, timestamp: 0 },
      ...{ key: new Uint8Array([1, 2]), value: new Uint8Array(10) },
      kind: "text" as const,
      headers: [["h", new Uint8Array(3)] as const],
    };
    const read = new BatchBlob(packBatch([record], Buffer.alloc(blobBytes([record])))).record(0, "e.0");
    expect(read).toMatchObject({ offset: 1 });
    for (const bytes of [read.key, read.value, read.headers[0]?.[1]])
      expect(bytes instanceof Uint8Array && bytes.buffer.byteLength === bytes.length).toBe(true);
  });
});
