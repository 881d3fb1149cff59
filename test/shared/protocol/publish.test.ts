import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitBinary } from "../../../shared/protocol/message.ts";
import {
  decodePublish,
  encodePublish,
  encodePublished,
  encodeWriting,
  type PublishRequest,
} from "../../../shared/protocol/publish.ts";
import { decodeOriginSays } from "../../../shared/protocol/uplink.ts";

const REQUEST: PublishRequest = {
  endpoint: "/t/%00",
  id: 7,
  issuer: "i\n",
  subject: "ü",
  key: '"k"',
  by: "client",
  headers: [
    ["a", "text"],
    ["b", new Uint8Array([255])],
  ],
  value: new Uint8Array([10, 0, 30]),
  withinMs: 9_500,
  until: 8_000,
  claim: true,
};

describe("[W6] a publish between shard and origin", () => {
  test("is its header and its value's bytes", () => {
    const frame = encodePublish({ ...REQUEST, headers: [], issuer: "", subject: "", key: "k", claim: false });

    expect(new TextDecoder().decode(frame)).toBe(
      '{"publish":"/t/%00","id":7,"issuer":"","subject":"","key":"k","by":"client","withinMs":9500,"until":8000,"n":3}\n\n\0\x1e',
    );
  });

  test("is read as it was written, several in a message", () => {
    const frames = fc.record({
      value: fc.option(fc.uint8Array({ maxLength: 50 })),
      key: fc.string({ minLength: 1 }),
      claim: fc.boolean(),
      by: fc.constantFrom("client" as const, "edge" as const),
    });
    fc.assert(
      fc.property(fc.array(frames, { minLength: 1, maxLength: 4 }), (list) => {
        const requests = list.map((one) => ({ ...REQUEST, ...one }));
        const message = Buffer.concat(requests.map(encodePublish));
        const read = splitBinary(new Uint8Array(message))?.map(decodePublish);

        expect(read).toEqual(requests.map((value) => ({ ok: true, value })));
      }),
    );
  });

  test.each([
    ["no header", "x"],
    ["no JSON", "{\n"],
    ["a field that is missing", '{"publish":"/t/k","n":0}\n'],
    ["a value of another size", `${new TextDecoder().decode(encodePublish({ ...REQUEST, headers: [] }))}x`],
  ])("with %s can't be read", (_, text) => {
    expect(decodePublish(new TextEncoder().encode(text))).toMatchObject({ ok: false });
  });
});

/** As nearly all headers are: without headers of a record. */
const PLAIN = {
  publish: "/t/k",
  id: 7,
  issuer: "",
  subject: "",
  key: "k",
  by: "edge",
  withinMs: 1,
  until: 2,
  n: 0,
};

test.each<readonly [string, unknown]>([
  ["publish", "t/k"],
  ["publish", 1],
  ["issuer", null],
  ["subject", 1],
  ["key", []],
  ["by", "nobody"],
  ["id", -1],
  ["withinMs", 1.5],
  ["until", "2"],
  ["n", 2 ** 53],
  ["claim", false],
  ["d", false],
  ["h", {}],
])("[W6] a header whose %s is %j can't be read, and the fault is named", (name, value) => {
  const decoded = (head: object) => decodePublish(new TextEncoder().encode(`${JSON.stringify(head)}\n`));

  expect(decoded(PLAIN)).toMatchObject({ ok: true, value: { endpoint: "/t/k", claim: false, headers: [] } });
  expect(decoded({ ...PLAIN, [name]: value })).toMatchObject({
    ok: false,
    problem: expect.stringMatching(new RegExp(`^publish: ${name}`)),
  });
});

test("[W6] [W8] what an origin says of publishes is read as it was written", () => {
  const error = { code: "in_flight", message: "why" };
  const number = { id: 5, epoch: 2 };
  const writing = { topic: "t", partition: 3, partitions: 4, number };

  expect(decodeOriginSays(encodePublished(7, { position: "e:1" }))).toEqual({
    ok: true,
    value: { kind: "published", id: 7, result: { position: "e:1" } },
  });
  expect(decodeOriginSays(encodePublished(7, { error }))).toEqual({
    ok: true,
    value: { kind: "published", id: 7, result: { error } },
  });
  expect(decodeOriginSays(encodeWriting(writing))).toEqual({ ok: true, value: { kind: "writes", writing } });
  for (const number of ["taking", undefined] as const)
    expect(decodeOriginSays(encodeWriting({ ...writing, number }))).toEqual({
      ok: true,
      value: { kind: "writes", writing: { ...writing, number } },
    });
});
