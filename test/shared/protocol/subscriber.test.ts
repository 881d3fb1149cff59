import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLOSE, ERRORS, mayReconnect } from "../../../shared/protocol/codes.ts";
import { decodeDown } from "../../../shared/protocol/down.ts";
import type { Position } from "../../../shared/protocol/position.ts";
import {
  decodeUp,
  encodeEnd,
  encodeError,
  encodeExpires,
  encodeRateLimited,
  encodeRenew,
  encodeRenewed,
  encodeReset,
  encodeSubscribe,
  encodeVerdict,
  encodeWait,
  isUpdate,
  PING,
  PONG,
} from "../../../shared/protocol/subscriber.ts";

const position: Position = new Map([["Zk3x9Q.3", 1_041]]);
const head: Position = new Map([["Zk3x9Q.3", 1_077]]);

describe("what a subscriber says", () => {
  test("[S2] a subscribe is what PROTOCOL.md shows, and is read back", () => {
    const frame = encodeSubscribe(1, "/quotes/AAPL", position);

    expect(frame).toBe('{"id":1,"sub":"/quotes/AAPL","from":"Zk3x9Q.3:1041"}');
    expect(decodeUp(frame)).toEqual({
      ok: true,
      value: { kind: "subscribe", id: 1, endpoint: "/quotes/AAPL", from: position },
    });
    expect(decodeUp(encodeSubscribe(2, "/a/b", undefined))).toMatchObject({
      ok: true,
      value: { from: undefined },
    });
  });

  test.each(["after", "unsub", "last"])(
    "[V5] %s is left to a later version: it can be told apart, and no error code or close code stands in its way",
    (kind) => {
      expect(decodeUp(JSON.stringify({ id: 7, [kind]: "/a/b" }))).toEqual({
        ok: true,
        value: { kind: "other", id: 7 },
      });
      expect(Object.values(CLOSE)).not.toContain(4504);
      expect(Object.values(CLOSE)).not.toContain(4505);
    },
  );

  test("[V4] a frame of a later version is told apart from a broken one", () => {
    expect(decodeUp('{"id":7,"later":"/orders/1","v":{}}')).toEqual({
      ok: true,
      value: { kind: "other", id: 7 },
    });
  });

  test.each([
    "",
    "1",
    "[]",
    "null",
    '"x"',
    "{",
    "{}",
    '{"sub":"/a/b"}',
    '{"id":-1,"sub":"/a/b"}',
    '{"id":1.5,"sub":"/a/b"}',
    '{"id":1,"sub":"a"}',
    '{"id":1,"sub":"/a/b","from":"x"}',
    '{"id":"1","pub":"/a/b"}',
  ])("[S7] %j can't be read, and the problem is said", (text) => {
    const result = decodeUp(text);

    expect(result.ok).toBe(false);
    expect(result.ok ? "" : result.problem).not.toBe("");
  });

  test("[S7] any text is read or refused, without an exception", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof decodeUp(text).ok === "boolean"),
    );
  });

  test("[S8] ping and pong are these bytes", () => {
    expect(PING).toBe('{"ping":1}');
    expect(decodeUp(PING)).toEqual({ ok: true, value: { kind: "ping" } });
    expect(decodeDown(PONG)).toEqual({ ok: true, value: { kind: "pong" } });
  });
});

describe("[S17] [S18] [S20] tokens and limits", () => {
  test("[S18] a token is what PROTOCOL.md shows, and what is wrong with its frame doesn't repeat it", () => {
    expect(encodeRenew(1, "a.b.c")).toBe('{"id":1,"token":"a.b.c"}');
    expect(decodeUp('{"id":1,"token":"a.b.c","later":true}')).toEqual({
      ok: true,
      value: { kind: "renew", id: 1, token: "a.b.c" },
    });
    for (const frame of [
      '{"id":-1,"token":"secret"}',
      '{"token":"secret"}',
      '{"id":1,"token":{"a":"secret"}}',
    ]) {
      const read = decodeUp(frame);
      expect(read.ok ? "" : read.problem).toMatch(/^(?!.*secret).+/);
    }
  });

  test("[S17] [S18] [S20] what the edge says of them is what PROTOCOL.md shows, and is read back", () => {
    expect(encodeExpires(60_999)).toBe('{"expires":{"in":60}}');
    expect(encodeRenewed(1, 1_795_689_542_999)).toBe('{"id":1,"ok":{"expires":1795689542}}');
    expect(
      [encodeExpires(5_000), encodeRenewed(1, 7_000), encodeEnd("/a/b", "forbidden", "no")].map(decodeDown),
    ).toEqual(
      [
        { kind: "expires", inSeconds: 5 },
        { kind: "renewed", id: 1, expires: 7 },
        { kind: "end", endpoint: "/a/b", error: { code: "forbidden", message: "no", retry: false } },
      ].map((value) => ({ ok: true, value })),
    );
    expect(decodeDown(encodeRateLimited(3, 250))).toMatchObject({
      ok: true,
      value: { kind: "error", id: 3, error: { code: "rate_limited", retry: true, retryAfterMs: 250 } },
    });
  });
});

describe("what the edge says", () => {
  test("[S3] verdicts are read back, with what they leave out left out", () => {
    expect(encodeVerdict(0, { position, head })).toBe(
      '{"id":0,"ok":{"position":"Zk3x9Q.3:1041","head":"Zk3x9Q.3:1077"}}',
    );
    const frame = encodeVerdict(1, { position, head, recovered: false, cause: "horizon" });
    expect(decodeDown(frame)).toEqual({
      ok: true,
      value: { kind: "verdict", id: 1, verdict: { position, head, recovered: false, cause: "horizon" } },
    });
  });

  test("[S4] [S5] [S7] wait, reset and error are read back", () => {
    expect(decodeDown(encodeWait(3, "unavailable", "soon"))).toEqual({
      ok: true,
      value: { kind: "wait", id: 3, error: { code: "unavailable", message: "soon", retry: true } },
    });
    expect(
      decodeDown(encodeReset("/a/b", { position, head, recovered: false, cause: "epoch" })),
    ).toMatchObject({
      ok: true,
      value: { kind: "reset", endpoint: "/a/b", verdict: { position, head, cause: "epoch" } },
    });
    expect(decodeDown(encodeError(undefined, "bad_frame", "no"))).toMatchObject({
      ok: true,
      value: { kind: "error", id: undefined },
    });
  });

  test("[F2] no control frame begins like an update", () => {
    for (const frame of [
      encodeVerdict(0, { position, head }),
      encodeWait(1, "unavailable", ""),
      encodeReset("/a/b", { position, head }),
      encodeError(1, "internal", ""),
      PONG,
    ])
      expect(isUpdate(frame)).toBe(false);
    expect(isUpdate('{"e":"/a/b","p":"a:1","d":true}')).toBe(true);
  });

  test("[V4] kinds of a later version are unknown, not an error", () => {
    expect(decodeDown('{"revoked":"/a/b"}')).toEqual({ ok: true, value: { kind: "unknown" } });
  });

  test("any text is read or refused, without an exception", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof decodeDown(text).ok === "boolean"),
    );
  });
});

describe("codes", () => {
  test("[C3] the range of a close code says whether to reconnect", () => {
    for (const [name, code] of Object.entries(CLOSE))
      expect([name, mayReconnect(code)]).toEqual([name, code < 4500]);
    for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013]) expect(mayReconnect(code)).toBe(true);
  });

  test("[C2] an error that may be retried has a status that says so", () => {
    for (const [code, { status, retry }] of Object.entries(ERRORS))
      expect([code, retry]).toEqual([code, [409, 429, 500, 503, 504].includes(status)]);
  });
});
