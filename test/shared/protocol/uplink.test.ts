import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Attached,
  encodeAttach,
  encodeAttached,
  encodeCancel,
  encodeWaiting,
} from "../../../shared/protocol/attach.ts";
import {
  encodeAlone,
  encodeCount,
  encodeCounted,
  encodeElsewhere,
  encodeEnough,
} from "../../../shared/protocol/counting.ts";
import {
  decodeLinkDown,
  decodeLinkUp,
  encodeEmpty,
  encodeLinkHello,
  encodeOccupied,
} from "../../../shared/protocol/link.ts";
import type { Position } from "../../../shared/protocol/position.ts";
import {
  decodeOriginSays,
  decodeShardSays,
  encodeDetach,
  encodeGet,
  encodeHello,
  encodeLatest,
  encodeQuestionError,
  encodeReady,
} from "../../../shared/protocol/uplink.ts";

const at = (offset: number): Position => new Map([["a.0", offset]]);
const attached: Attached = {
  endpoint: "/t/k",
  id: 4,
  verdict: { position: at(1), head: at(9), recovered: true, cause: undefined },
  to: at(5),
  horizon: new Map(),
  count: 2,
};

describe("control frames", () => {
  test("[U2] [L3] [V2] hellos", () => {
    expect(decodeOriginSays(encodeHello({ version: 1, origin: "o" }))).toEqual({
      ok: true,
      value: { kind: "hello", hello: { version: 1, origin: "o" } },
    });
    const shard = { version: 1, shard: 0, shards: 2, generation: 7 };
    expect(decodeShardSays(encodeHello(shard))).toEqual({ ok: true, value: { kind: "hello", hello: shard } });
    const link = { version: 1, shard: 0, generation: 7, dial: 3 };
    expect(decodeLinkDown(encodeLinkHello(link))).toEqual({
      ok: true,
      value: { kind: "hello", hello: link },
    });
  });

  test("[L4] [U4] an attach on a link and on an uplink", () => {
    const attach = { endpoint: "/t/k", id: 4, from: at(1), reached: at(9) };
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

  test("[L8] [U4] what is taken back, and how long one that is asked again has waited", () => {
    const cancel = { endpoint: "/t/k", id: 4 };
    expect(decodeLinkUp(encodeCancel(cancel))).toEqual({ ok: true, value: { kind: "cancel", cancel } });
    expect(decodeShardSays(encodeCancel(cancel, 7))).toEqual({
      ok: true,
      value: { kind: "cancel", link: 7, cancel },
    });
    const attach = { endpoint: "/t/k", id: 5, from: at(1), waited: 2_000 };
    expect(decodeShardSays(encodeAttach(attach, 7))).toEqual({
      ok: true,
      value: { kind: "attach", link: 7, attach },
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

  test("[O2] [D6] what is said of numbers of subscribers is read back, in bounds, whatever was claimed", () => {
    const [count, enough] = [encodeCount("/t/k"), encodeEnough("/t/k")];
    for (const decode of [decodeOriginSays, decodeShardSays, decodeLinkDown]) {
      expect(decode(count)).toEqual({ ok: true, value: { kind: "count", endpoint: "/t/k" } });
      expect(decode(enough)).toEqual({ ok: true, value: { kind: "enough", endpoint: "/t/k" } });
      expect(decode('{"count":"t/k"}').ok).toBe(false);
    }
    for (const decode of [decodeShardSays, decodeLinkUp]) {
      expect(decode(encodeCounted("/t/k", 3))).toEqual({
        ok: true,
        value: { kind: "counted", endpoint: "/t/k", subscribers: 3 },
      });
      for (const subscribers of [-1, 0.5, 2 ** 40 + 1, "3", null])
        expect(decode(JSON.stringify({ counted: { endpoint: "/t/k", subscribers } })).ok).toBe(false);
    }
    expect(decodeOriginSays(encodeElsewhere("/t/k", 2 ** 41))).toEqual({
      ok: true,
      value: { kind: "elsewhere", endpoint: "/t/k", subscribers: 2 ** 40 },
    });
    expect(decodeOriginSays('{"elsewhere":{"endpoint":"/t/k"}}').ok).toBe(false);
    expect(decodeOriginSays(encodeAlone(false))).toEqual({
      ok: true,
      value: { kind: "alone", alone: false },
    });
    expect(decodeOriginSays('{"alone":1}').ok).toBe(false);
  });

  test("[V4] kinds of a later version are unknown, broken ones are a problem, and nothing throws", () => {
    for (const decode of [decodeOriginSays, decodeShardSays, decodeLinkDown, decodeLinkUp]) {
      expect(decode('{"unheard":1}')).toEqual({ ok: true, value: { kind: "unknown" } });
      expect(decode('{"hello":{"version":"1"},"attach":1}').ok).toBe(false);
      fc.assert(
        fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof decode(text).ok === "boolean"),
      );
    }
  });
});
