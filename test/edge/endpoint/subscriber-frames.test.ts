import { expect, test } from "vitest";
import { answerFrames } from "../../../edge/endpoint/subscriber-frames.ts";
import type { Message } from "../../../shared/protocol/message.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";

interface Outcome {
  readonly subscribed: (readonly [id: number, from: unknown])[];
  readonly sent: unknown[];
  readonly renewed: (readonly [id: number, token: string])[];
  readonly refused: (readonly [id: number | undefined, waitMs: number])[];
  closed: string | undefined;
}

const QUIET: Outcome = { subscribed: [], sent: [], renewed: [], refused: [], closed: undefined };

/** A socket of /quotes/A whose last subscribe had id 3. */
function say(message: Message, waits: { messages?: number; asks?: number } = {}): Outcome {
  const outcome: Outcome = { ...QUIET, subscribed: [], sent: [], renewed: [], refused: [] };
  let lastId = 3;
  answerFrames(message, {
    path: "/quotes/A",
    lastId: () => (outcome.closed === undefined ? lastId : undefined),
    subscribe: (id, from) => {
      lastId = id;
      outcome.subscribed.push([id, from]);
    },
    waitMs: (what) => waits[what] ?? 0,
    refuse: (id, waitMs) => outcome.refused.push([id, waitMs]),
    renew: (id, token) => outcome.renewed.push([id, token]),
    send: (frame) => outcome.sent.push(JSON.parse(frame)),
    close: (name) => {
      outcome.closed = name;
    },
  });
  return outcome;
}

const error = (id: number, code: string) => ({ id, error: expect.objectContaining({ code, retry: false }) });

test("[S2] a subscribe with a larger id subscribes again, from where it says", () => {
  const twice = `{"id":4,"sub":"/quotes/A","from":"e:7"}${SEPARATOR}{"id":9,"sub":"/quotes/A","later":true}`;

  expect(say(twice).subscribed).toEqual([
    [4, new Map([["e", 7]])],
    [9, undefined],
  ]);
});

test.each([
  ["another endpoint", '{"id":4,"sub":"/quotes/B"}', error(4, "unsupported")],
  ["a position that is none", '{"id":4,"sub":"/quotes/A","from":"e:x"}', error(4, "bad_position")],
  ["a position that isn't text", '{"id":4,"sub":"/quotes/A","from":7}', error(4, "bad_position")],
  ["an endpoint that is none", '{"id":4,"sub":7}', error(4, "bad_frame")],
  ["a token that is none", '{"id":4,"token":{"a":1}}', error(4, "bad_frame")],
  ["a kind of a later version", '{"id":4,"pub":"/quotes/A","v":1}', error(4, "unsupported")],
])("[S2] [S7] [V4] %s is answered with an error, and the socket lives", (_, frame, expected) => {
  const outcome = say(frame);

  expect(outcome).toEqual({ ...QUIET, sent: [expected] });
});

test.each([
  ["no JSON", "hello"],
  ["nothing", ""],
  ["no object", "[1]"],
  ["no id to answer to", '{"sub":"/quotes/A"}'],
  ["an id that is no number", '{"id":"4","sub":"/quotes/A"}'],
  ["bytes", new Uint8Array([123, 125])],
  // Its answer could be taken for that to the last subscribe, which may still be due.
  ["the id of the last subscribe", '{"id":3,"sub":"/quotes/A"}'],
  ["a smaller id", '{"id":0,"sub":"/quotes/A"}'],
  ["the id of the last subscribe with a position that is none", '{"id":3,"sub":"/quotes/A","from":"e:x"}'],
  ["the id of the last subscribe with another endpoint", '{"id":3,"sub":"/quotes/B"}'],
  ["the id of the last subscribe, in a kind of a later version", '{"id":3,"pub":"/quotes/A","v":1}'],
])("[S2] [S7] [C5] %s closes the socket with bad_frame", (_, message) => {
  expect(say(message)).toEqual({ ...QUIET, closed: "bad_frame" });
});

test("[S7] what stood before a frame that can't be read is answered, what stands behind it is not", () => {
  const message = ['{"id":4,"sub":"/quotes/A"}', "?", '{"id":5,"sub":"/quotes/A"}'].join(SEPARATOR);

  expect(say(message)).toEqual({ ...QUIET, subscribed: [[4, undefined]], closed: "bad_frame" });
});

test.each([
  ["of exactly 16 KiB", `{"id":4,"sub":"/quotes/A","x":"${"x".repeat(16_384 - 33)}"}`, undefined],
  ["of one byte more", `{"id":4,"sub":"/quotes/A","x":"${"x".repeat(16_384 - 32)}"}`, "frame_too_large"],
  [
    "whose characters are few but wide",
    `{"id":4,"sub":"/quotes/A","x":"${"–".repeat(6_000)}"}`,
    "frame_too_large",
  ],
  ["of bytes", new Uint8Array(16_385), "frame_too_large"],
])("[S7] a message %s", (_, message, closed) => {
  expect(say(message).closed).toBe(closed);
});

test("[S8] a ping in other bytes than the runtime answers is answered here", () => {
  expect(say('{"ping": 1}').sent).toEqual([{ pong: 1 }]);
});

test("[S18] a token is renewed with an id as any other frame, and one with an older id closes the socket", () => {
  expect(say('{"id":4,"token":"a.b.c"}')).toEqual({ ...QUIET, renewed: [[4, "a.b.c"]] });
  for (const frame of ['{"id":3,"token":"a.b.c"}', '{"token":"a.b.c"}'])
    expect(say(frame)).toEqual({ ...QUIET, closed: "bad_frame" });
});

test.each([
  ["a subscribe", '{"id":4,"sub":"/quotes/A"}', { asks: 7 }, 4],
  ["a token", '{"id":4,"token":"a.b.c"}', { asks: 7 }, 4],
  ["any frame", '{"id":4,"pub":"/quotes/A"}', { messages: 7 }, 4],
  ["a ping in other bytes", '{"ping": 1}', { messages: 7 }, undefined],
])(
  "[S20] %s is refused with its id while it is too much, and nothing else is done",
  (_, frame, waits, id) => {
    expect(say(frame, waits)).toEqual({ ...QUIET, refused: [[id, 7]] });
  },
);

test("[S7] a message of more than 64 frames is answered with a close, not with as many answers", () => {
  const pings = (count: number) => Array.from({ length: count }, () => '{"ping":2}').join(SEPARATOR);

  expect(say(pings(65))).toEqual({ ...QUIET, closed: "frame_too_large" });
  expect(say(pings(1_489))).toEqual({ ...QUIET, closed: "frame_too_large" });
  expect(say(pings(64)).sent).toHaveLength(64);
});
