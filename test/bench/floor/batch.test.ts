import fc from "fast-check";
import { expect, test } from "vitest";
import { type Addressed, encodeBatch, forEachFrame } from "./batch.ts";

test("frames come out of a batch as they were put in, with their links", () => {
  const frame = fc.record({ link: fc.nat(4_294_967_295), frame: fc.uint8Array({ maxLength: 300 }) });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), (frames) => {
      const read: Addressed[] = [];
      forEachFrame(encodeBatch(frames).slice().buffer, (link, frame) =>
        read.push({ link, frame: frame.slice() }),
      );

      expect(read.map(({ link, frame }) => [link, [...frame]])).toEqual(
        frames.map(({ link, frame }) => [link, [...frame]]),
      );
    }),
  );
});
