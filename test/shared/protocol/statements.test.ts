import { describe, expect, test } from "vitest";
import { readStatement } from "../../../shared/protocol/connection-frames.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { OLDEST, parsePosition } from "../../../shared/protocol/position.ts";
import { encodeStatements, type Statement } from "../../../shared/protocol/statements.ts";

const subscribe = (id: number, endpoint: string, from?: string): Statement => ({
  kind: "subscribe",
  id,
  endpoint,
  from: from === undefined ? undefined : parsePosition(from),
});

describe("[M2] what a client says of its subscriptions", () => {
  test("is nothing where there is nothing to say", () => {
    expect(encodeStatements([])).toEqual([]);
  });

  test("is a frame of its own if it is one", () => {
    expect(encodeStatements([subscribe(1, "/quotes/AAPL", "a:41")])).toEqual([
      '{"id":1,"sub":"/quotes/AAPL","from":"a:41"}',
    ]);
    expect(encodeStatements([{ kind: "unsubscribe", id: 2, endpoint: "/quotes/AAPL" }])).toEqual([
      '{"id":2,"unsub":"/quotes/AAPL"}',
    ]);
  });

  test("is a list if it is more, in its order", () => {
    const said = [subscribe(1, "/a/b"), { kind: "unsubscribe", id: 2, endpoint: "/a/c" }] as const;

    expect(encodeStatements([...said, subscribe(3, "/a/c")])).toEqual([
      '{"subs":[{"id":1,"sub":"/a/b"},{"id":2,"unsub":"/a/c"},{"id":3,"sub":"/a/c"}]}',
    ]);
  });

  test("is cut into messages as large as they may be, none of which is larger, and nothing is left out", () => {
    // Of all lengths: the longest path and the longest position are among them.
    const position = Array.from({ length: 64 }, (_, i) => `${String(i).padStart(32, "e")}:9007199254740991`);
    const all = Array.from({ length: 1_000 }, (_, i) =>
      subscribe(
        i + 1,
        i % 100 === 0 ? `/${"t".repeat(249)}/${"%FF".repeat(1_024)}` : `/quotes/${"x".repeat(i % 90)}`,
        i % 100 === 50 ? position.sort().join(",") : "a:1",
      ),
    );

    const messages = encodeStatements(all);
    const ids = messages.flatMap((message) => {
      const said = JSON.parse(message) as { id?: number; subs?: readonly { id: number }[] };
      return (said.subs ?? [said]).map(({ id }) => id);
    });

    expect(ids).toEqual(all.map(({ id }) => id));
    for (const [i, message] of messages.entries()) {
      expect(Buffer.byteLength(message)).toBeLessThanOrEqual(LIMITS.subscriberMessageBytes);
      const next = messages[i + 1];
      const first = next === undefined ? "" : JSON.stringify(JSON.parse(next).subs?.[0] ?? JSON.parse(next));
      if (next !== undefined)
        expect(message.length + 1 + first.length).toBeGreaterThanOrEqual(LIMITS.subscriberMessageBytes);
    }
  });
});

test("[M2] what is said is what the edge reads", () => {
  const said: Statement[] = [
    subscribe(1, "/a/b", "a:1,b:2"),
    { kind: "unsubscribe", id: 2, endpoint: "/a/b" },
    subscribe(3, "/a/c"),
    { kind: "subscribe", id: 4, endpoint: "/a/d", from: OLDEST, occupancy: true },
  ];

  for (const part of [said, said.slice(0, 1), said.slice(1, 2), said.slice(3)])
    expect(encodeStatements(part).flatMap((message) => readStatement(message))).toEqual(part);
});
