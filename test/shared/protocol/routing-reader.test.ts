import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeUpdate, type Frame, routingOf } from "../../../shared/protocol/frame.ts";
import { RoutingReader } from "../../../shared/protocol/routing-reader.ts";

const offset = fc.oneof(fc.nat(20), fc.maxSafeNat(), fc.nat(1e15));

const update = fc
  .record({
    endpoint: fc.constantFrom("/t/k", "/t/k1", "/t/%E2%82%AC"),
    epoch: fc.constantFrom("a.0", "a.1", "ab.0"),
    offset,
    previous: fc.option(offset, { nil: undefined }),
    timestamp: fc.option(fc.nat(), { nil: undefined }),
    headers: fc.constantFrom([], [["a", "é"]] as const),
    value: fc.oneof(
      fc.uint8Array({ maxLength: 9 }).map((bytes) => ({ kind: "bytes", bytes }) as const),
      fc.constant({ kind: "json", text: "1" } as const),
    ),
  })
  .map(encodeUpdate);

/** With one byte or character that isn't as it was. */
const damaged = fc.tuple(update, fc.nat(60), fc.constantFrom(...'0":,}x\n')).map(([frame, at, by]): Frame => {
  if (typeof frame === "string") return frame.slice(0, at) + by + frame.slice(at + 1);
  return frame.with(Math.min(at, frame.length - 1), by.charCodeAt(0));
});

test("whatever frames came before, one is read as if none had", () => {
  const frame = fc.oneof({ weight: 3, arbitrary: update }, { weight: 1, arbitrary: damaged });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), (frames) => {
      const reader = new RoutingReader();

      const read = frames.map((one) => reader.read(one));

      expect(read).toEqual(frames.map(routingOf));
    }),
    { numRuns: 500 },
  );
});
