import { expect, test } from "vitest";
import { answerFrames } from "../../../edge/endpoint/subscriber-frames.ts";
import type { Message } from "../../../shared/protocol/message.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";
import { encodePublication, type Publication } from "../../../shared/protocol/publication.ts";

interface Outcome {
  readonly subscribed: (readonly [id: number, from: unknown])[];
  readonly sent: unknown[];
  readonly renewed: (readonly [id: number, token: string])[];
  readonly refused: (readonly [id: number | undefined, waitMs: number])[];
  readonly published: Publication[];
  closed: string | undefined;
}

const QUIET: Outcome = {
  ...{ subscribed: [], sent: [], renewed: [], refused: [], published: [] },
  closed: undefined,
};
/** Of a socket that may not publish, and of one that may. */
const SMALL = 16_384;
const LARGE = 1024 * 1024 + SMALL;

/** A socket of /quotes/A whose last subscribe had id 3. */
function say(
  message: Message,
  waits: { messages?: number; asks?: number; publishes?: number } = {},
  messageBytes = SMALL,
  spent: [what: string, count: number][] = [],
): Outcome {
  const outcome: Outcome = { ...QUIET, subscribed: [], sent: [], renewed: [], refused: [], published: [] };
  let lastId = 3;
  answerFrames(message, {
    path: "/quotes/A",
    messageBytes,
    lastId: () => (outcome.closed === undefined ? lastId : undefined),
    subscribe: (id, from) => {
      lastId = id;
      outcome.subscribed.push([id, from]);
    },
    waitMs: (what, count = 1) => {
      spent.push([what, count]);
      return waits[what] ?? 0;
    },
    refuse: (id, waitMs) => outcome.refused.push([id, waitMs]),
    renew: (id, token) => outcome.renewed.push([id, token]),
    publish: (publication) => outcome.published.push(publication),
    send: (frame) => outcome.sent.push(JSON.parse(frame)),
    close: (name) => {
      outcome.closed = name;
    },
  });
  return outcome;
}

const binary = (head: string) => new TextEncoder().encode(`${head}\n`);
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
  ["a kind of a later version", '{"id":4,"later":"/quotes/A"}', error(4, "unsupported")],
  ["a publish of nothing", '{"id":4,"pub":"/quotes/A"}', error(4, "bad_frame")],
  ["a publish of two things", '{"id":4,"pub":"/quotes/A","v":1,"d":true}', error(4, "bad_frame")],
  ["a publish of what isn't JSON", '{"id":4,"pub":"/quotes/A","s":"1","h":7}', error(4, "bad_frame")],
  ["another frame in binary", binary('{"id":4,"sub":"/quotes/A","n":0}'), error(4, "bad_frame")],
  [
    "a publish of fewer bytes than it says",
    binary('{"id":4,"pub":"/quotes/A","d":true,"n":0}'),
    error(4, "bad_frame"),
  ],
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
  ["the id of the last subscribe, in a kind of a later version", '{"id":3,"later":"/quotes/A"}'],
  ["the id of the last subscribe, in a publish", '{"id":3,"pub":"/quotes/A","v":1}'],
  ["a publish without an id", '{"pub":"/quotes/A","v":1}'],
  ["a publish that is no JSON", '{"id":4,"pub":"/quotes/A","v":{}'],
  ["no bytes", new Uint8Array(0)],
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
  ["any frame", '{"id":4,"later":"/quotes/A"}', { messages: 7 }, 4],
  ["a publish", '{"id":4,"pub":"/quotes/A","v":1}', { publishes: 7 }, 4],
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

const publication = (id: number, bytes: number): Publication => ({
  ...{ id, endpoint: "/quotes/A", key: "c0ffee", headers: [] },
  value: new Uint8Array(bytes).fill(120),
});
/** A frame whose value is so many characters long. */
const textOf = (id: number, characters: number) =>
  `{"id":${id},"pub":"/quotes/A","s":"${"x".repeat(characters)}"}`;

test("[W21] many are published in one message, in text and in binary, each told by its id", () => {
  const texts = [4, 5].map((id) => `{"id":${id},"pub":"/quotes/A","v":${id}}`);
  const bytes = [6, 7].map((id) => encodePublication(publication(id, 3)) as Uint8Array);

  expect(say(texts.join(SEPARATOR)).published.map(({ id }) => id)).toEqual([4, 5]);
  expect(say(new Uint8Array(Buffer.concat(bytes))).published).toEqual([publication(6, 3), publication(7, 3)]);
});

test("[W22] who may publish may send a larger message, if it is one publish, in either form", () => {
  const bytes = encodePublication(publication(4, 1024 * 1024));

  expect(say(bytes, {}, LARGE).published).toEqual([publication(4, 1024 * 1024)]);
  expect(say(textOf(4, 1024 * 1024), {}, LARGE).published).toMatchObject([{ id: 4 }]);
  for (const message of [bytes, textOf(4, SMALL)])
    expect(say(message)).toEqual({ ...QUIET, closed: "frame_too_large" });
});

test.each([
  ["more than that", encodePublication(publication(4, LARGE))],
  ["another frame", `{"id":4,"sub":"/quotes/A","x":"${"x".repeat(SMALL)}"}`],
  ["two publishes", [textOf(4, SMALL), textOf(5, 1)].join(SEPARATOR)],
  ["no frame", "x".repeat(SMALL + 1)],
  ["bytes that are no frame", new Uint8Array(SMALL + 1)],
])("[W22] a large message of %s closes the socket with frame_too_large", (_, message) => {
  expect(say(message, {}, LARGE)).toEqual({ ...QUIET, closed: "frame_too_large" });
});

test("[W22] a large publish that is malformed is answered by its id, if it begins with that", () => {
  const big = "x".repeat(SMALL);

  expect(say(`{"id":4,"pub":"/quotes/A","s":"${big}","d":true}`, {}, LARGE).sent).toEqual([
    error(4, "bad_frame"),
  ]);
  expect(say(`{"pub":"/quotes/A","id":4,"s":"${big}","d":true}`, {}, LARGE).closed).toBe("bad_frame");
  expect(say(textOf(3, SMALL), {}, LARGE).closed).toBe("bad_frame");
});

test("[W25] a large publish counts as several, and is refused by its id without being read", () => {
  const spent: [string, number][] = [];
  const broken = `{"id":4,"pub":${"x".repeat(1024 * 1024)}`;

  expect(say(broken, { publishes: 7 }, LARGE, spent)).toEqual({ ...QUIET, refused: [[4, 7]] });
  expect(spent).toEqual([["publishes", 17]]);
  expect(say(textOf(3, SMALL), { publishes: 7 }, LARGE).closed).toBe("bad_frame");
});
