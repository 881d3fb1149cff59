import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeAddressed } from "../../../shared/protocol/addressed.ts";
import { encodeUpdate, type Frame, type Value } from "../../../shared/protocol/frame.ts";
import { type Message, packMessages } from "../../../shared/protocol/message.ts";
import { forEachBinaryFrame, forEachTextFrame } from "./batch.ts";

type Addressed = readonly [link: number, frame: Frame];

function update(value: Value): Frame {
  const header = { endpoint: "/topic/k7", epoch: "e.0", offset: 7, previous: 6, timestamp: 1, headers: [] };
  return encodeUpdate({ ...header, value });
}

const link = fc.integer({ min: 1, max: 1e12 });
const text = fc.tuple(
  link,
  fc.string({ maxLength: 50 }).map((text) => update({ kind: "text", text })),
);
const binary = fc.tuple(
  link,
  fc.uint8Array({ maxLength: 300 }).map((bytes) => update({ kind: "bytes", bytes })),
);

function sent(frames: readonly Addressed[]): Message | undefined {
  const items = frames.map(([number, frame]) => encodeAddressed({ kind: "links", links: [number] }, frame));
  return packMessages(items, Number.POSITIVE_INFINITY)[0];
}

test.each([
  ["text", text],
  ["binary", binary],
])("%s frames come out of an origin's message as they were put in, with their links", (_, frame) => {
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 20 }), (frames) => {
      const message = sent(frames);
      const read: Addressed[] = [];

      if (typeof message === "string") forEachTextFrame(message, (number, text) => read.push([number, text]));
      else if (message !== undefined)
        forEachBinaryFrame(message, (number, bytes) => read.push([number, bytes.slice()]));

      expect(read).toEqual(frames);
    }),
  );
});
