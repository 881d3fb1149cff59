import { describe, expect, test } from "vitest";
import { encodeUnsubscribed, readStatement } from "../../../shared/protocol/connection-frames.ts";

describe("[M2] what is said on a connection", () => {
  test.each([
    ['{"id":1,"sub":"/t/a"}', [{ kind: "subscribe", id: 1, endpoint: "/t/a", from: undefined }]],
    [
      '{"id":1,"sub":"/t/a","from":"e:7"}',
      [{ kind: "subscribe", id: 1, endpoint: "/t/a", from: new Map([["e", 7]]) }],
    ],
    [
      '{"id":1,"sub":"/t/a","from":"oldest","occupancy":true}',
      [{ kind: "subscribe", id: 1, endpoint: "/t/a", from: "oldest", occupancy: true }],
    ],
    ['{"id":2,"unsub":"/t/a"}', [{ kind: "unsubscribe", id: 2, endpoint: "/t/a" }]],
    ['{"id":3,"token":"a.b.c"}', [{ kind: "renew", id: 3, token: "a.b.c" }]],
    ['{"ping":1}', [{ kind: "ping" }]],
    ['{"id":4,"later":true}', [{ kind: "other", id: 4 }]],
    ['{"subs":[]}', []],
    [
      '{"subs":[{"id":1,"sub":"/t/a"},{"id":2,"unsub":"/t/b"}]}',
      [
        { kind: "subscribe", id: 1, endpoint: "/t/a", from: undefined },
        { kind: "unsubscribe", id: 2, endpoint: "/t/b" },
      ],
    ],
    ['{"subs":[{"id":1,"token":"a.b.c"}]}', [{ kind: "other", id: 1 }]],
    ['{"subs":[{"id":1,"subs":[]}]}', [{ kind: "other", id: 1 }]],
  ])("[M2] %s", (text, said) => {
    expect(readStatement(text)).toEqual(said);
  });

  test.each([
    ['{"id":1,"sub":"/t/a","from":"what"}', "bad_position"],
    ['{"id":1,"sub":"/t/a","from":7}', "bad_position"],
    ['{"id":1,"sub":"t"}', "bad_frame"],
    ['{"id":1,"sub":"t","from":"oldest"}', "bad_position"],
    ['{"id":1,"unsub":7}', "bad_frame"],
    ['{"id":1,"token":7}', "bad_frame"],
  ])("[M3] %s is answered with %s", (text, code) => {
    expect(readStatement(text)).toEqual([{ kind: "faulty", id: 1, code, problem: expect.any(String) }]);
  });

  test.each([
    "",
    "7",
    "[]",
    "{}",
    '{"id":"1"}',
    '{"id":-1,"sub":"/t/a"}',
    '{"sub":"/t/a"}',
    '{"subs":7}',
    '{"subs":[7]}',
    '{"subs":[{"ping":1}]}',
  ])("[M2] %s can't be answered", (text) => {
    expect(readStatement(text)).toBeUndefined();
  });

  test("[M5] the answer to an unsub names its path", () => {
    expect(JSON.parse(encodeUnsubscribed(4, "/t/a"))).toEqual({ id: 4, ok: { unsub: "/t/a" } });
  });
});
