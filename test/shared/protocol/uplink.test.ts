import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeUpdate } from "../../../shared/protocol/frame.ts";
import type { Position } from "../../../shared/protocol/position.ts";
import {
  type AddressedTo,
  type Attached,
  decodeAddressed,
  decodeLinkDown,
  decodeLinkUp,
  decodeOriginSays,
  decodeShardSays,
  encodeAddressed,
  encodeAttach,
  encodeAttached,
  encodeDetach,
  encodeEmpty,
  encodeGet,
  encodeHello,
  encodeLatest,
  encodeOccupied,
  encodeQuestionError,
  encodeReady,
  encodeWaiting,
} from "../../../shared/protocol/uplink.ts";

const at = (offset: number): Position => new Map([["a.0", offset]]);
const attached: Attached = {
  endpoint: "/t/k",
  id: 4,
  verdict: { position: at(1), head: at(9), recovered: true, cause: undefined },
  to: at(5),
  since: new Map(),
  count: 2,
};
const addressees: fc.Arbitrary<AddressedTo> = fc.oneof(
  fc
    .array(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { minLength: 1, maxLength: 50 })
    .map((links): AddressedTo => ({ kind: "links", links })),
  fc.integer({ min: 1 }).map((id): AddressedTo => ({ kind: "question", id })),
  fc.constant<AddressedTo>({ kind: "shard" }),
);

describe("addressed frames", () => {
  test("[U3] they are what PROTOCOL.md shows", () => {
    expect(encodeAddressed({ kind: "links", links: [7, 9] }, "F")).toBe("7,9\tF");
    expect(encodeAddressed({ kind: "question", id: 13 }, "F")).toBe("?13\tF");
    expect(encodeAddressed({ kind: "shard" }, "F")).toBe("0\tF");
  });

  test("[U3] [F1] address and frame come apart as they were put together, byte for byte, tabs in the value too", () => {
    const frame = fc.oneof(
      fc.string(),
      fc.uint8Array().map((bytes) =>
        encodeUpdate({
          endpoint: "/t/k",
          epoch: "a",
          offset: 1,
          previous: undefined,
          timestamp: undefined,
          headers: [],
          value: { kind: "bytes", bytes },
        }),
      ),
    );
    fc.assert(
      fc.property(addressees, frame, (to, frame) => {
        expect(decodeAddressed(encodeAddressed(to, frame))).toEqual({ to, frame });
      }),
    );
  });

  test.each([
    "",
    "F",
    "\tF",
    "0",
    "-1\tF",
    "1,\tF",
    "01\tF",
    "?0\tF",
    "x\tF",
    "1 2\tF",
    Uint8Array.of(1, 2),
    Uint8Array.of(0xff, 9),
  ])("[C5] %j has no address", (item) => {
    expect(decodeAddressed(item)).toBeUndefined();
  });
});

describe("control frames", () => {
  test("[U2] [L3] [V2] hellos", () => {
    expect(decodeOriginSays(encodeHello({ version: 1, origin: "o" }))).toEqual({
      ok: true,
      value: { kind: "hello", hello: { version: 1, origin: "o" } },
    });
    const shard = { version: 1, shard: 0, shards: 2, generation: 7 };
    expect(decodeShardSays(encodeHello(shard))).toEqual({ ok: true, value: { kind: "hello", hello: shard } });
    const link = { version: 1, shard: 0, generation: 7, dial: 3 };
    expect(decodeLinkDown(encodeHello(link))).toEqual({ ok: true, value: { kind: "hello", hello: link } });
  });

  test("[L4] [U4] an attach on a link and on an uplink", () => {
    const attach = { endpoint: "/t/k", id: 4, from: at(1) };
    expect(decodeLinkUp(encodeAttach(attach))).toEqual({ ok: true, value: { kind: "attach", attach } });
    expect(decodeShardSays(encodeAttach(attach, 7))).toEqual({
      ok: true,
      value: { kind: "attach", link: 7, attach },
    });
    expect(decodeShardSays(encodeDetach("/t/k", 7))).toEqual({
      ok: true,
      value: { kind: "detach", endpoint: "/t/k", link: 7 },
    });
  });

  test("[U5] an answer to an attach passes the shard unchanged", () => {
    const frame = encodeAttached(attached);
    expect(decodeOriginSays(frame)).toEqual({ ok: true, value: { kind: "attached", attached } });
    expect(decodeLinkDown(frame)).toEqual({ ok: true, value: { kind: "attached", attached } });
  });

  test("[U7] [U8] [U9] [L5] the rest is read back", () => {
    expect(decodeLinkDown(encodeWaiting("/t/k", 4))).toEqual({
      ok: true,
      value: { kind: "waiting", endpoint: "/t/k", id: 4 },
    });
    expect(decodeShardSays(encodeGet("/t/k", 13))).toEqual({
      ok: true,
      value: { kind: "get", endpoint: "/t/k", id: 13 },
    });
    expect(decodeOriginSays(encodeLatest("/t/k", at(3), 1))).toEqual({
      ok: true,
      value: { kind: "latest", endpoint: "/t/k", position: at(3), count: 1 },
    });
    expect(decodeOriginSays(encodeQuestionError("unavailable", "soon"))).toMatchObject({
      ok: true,
      value: { kind: "error", error: { code: "unavailable" } },
    });
    expect(decodeOriginSays(encodeReady(true))).toEqual({ ok: true, value: { kind: "ready", ready: true } });
    expect(decodeLinkUp(encodeEmpty("/t/k"))).toEqual({
      ok: true,
      value: { kind: "empty", endpoint: "/t/k" },
    });
    expect(decodeLinkUp(encodeOccupied("/t/k"))).toEqual({
      ok: true,
      value: { kind: "occupied", endpoint: "/t/k" },
    });
  });

  test("[V4] kinds of a later version are unknown, broken ones are a problem, and nothing throws", () => {
    for (const decode of [decodeOriginSays, decodeShardSays, decodeLinkDown, decodeLinkUp]) {
      expect(decode('{"later":1}')).toEqual({ ok: true, value: { kind: "unknown" } });
      expect(decode('{"hello":{"version":"1"},"attach":1}').ok).toBe(false);
      fc.assert(
        fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof decode(text).ok === "boolean"),
      );
    }
  });
});
