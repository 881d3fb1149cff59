import { expect, test } from "vitest";
import { encodeUpdate, type Frame, type Update } from "../../../shared/protocol/frame.ts";
import { packMessages } from "../../../shared/protocol/message.ts";
import { encodeVerdict } from "../../../shared/protocol/subscriber.ts";
import { type ReadUpdate, readMessage, type Verdict } from "./messages.ts";
import { Payloads } from "./payload.ts";

function read(frames: readonly Frame[]) {
  const updates: ReadUpdate[] = [];
  const verdicts: Verdict[] = [];
  for (const message of packMessages(frames, 256 * 1024)) {
    const bytes = typeof message === "string" ? Buffer.from(message) : Buffer.from(message);
    readMessage(bytes, typeof message === "string", {
      update: (update) => updates.push(update),
      verdict: (verdict) => verdicts.push(verdict),
      reset: (verdict) => verdicts.push(verdict),
    });
  }
  return { updates, verdicts };
}

const update = (offset: number, value: Update["value"]): Frame =>
  encodeUpdate({
    endpoint: "/bench/k1",
    epoch: "Zk3x9Q.3",
    offset,
    previous: offset === 0 ? undefined : offset - 2,
    timestamp: 1,
    headers: [],
    value,
  });

test("updates of both kinds are read, several to a message, with position, predecessor and stamp", () => {
  const bytes = new Payloads(64, false);
  const json = new Payloads(64, true);
  const stamp = (sequence: number) => ({ due: 1_000.5, sequence, run: 0 });

  const { updates } = read([
    update(0, { kind: "bytes", bytes: bytes.encode(stamp(0)) }),
    update(2, { kind: "bytes", bytes: bytes.encode(stamp(1)) }),
    update(4, { kind: "json", text: json.encode(stamp(2)).toString() }),
    update(6, { kind: "json", text: json.encode(stamp(3)).toString() }),
  ]);

  expect(updates).toEqual([
    { epoch: "Zk3x9Q.3", offset: 0, previous: undefined, stamp: stamp(0) },
    { epoch: "Zk3x9Q.3", offset: 2, previous: 0, stamp: stamp(1) },
    { epoch: "Zk3x9Q.3", offset: 4, previous: 2, stamp: stamp(2) },
    { epoch: "Zk3x9Q.3", offset: 6, previous: 4, stamp: stamp(3) },
  ]);
});

test("a verdict is read, and frames of other kinds are passed over", () => {
  const verdict = encodeVerdict(0, {
    position: new Map([["Zk3x9Q.3", 7]]),
    head: new Map([["Zk3x9Q.3", 9]]),
    recovered: true,
  });

  expect(read([verdict, '{"pong":1}', '{"later":{}}']).verdicts).toEqual([
    { position: "Zk3x9Q.3:7", head: "Zk3x9Q.3:9", recovered: true },
  ]);
});

test("what no publisher of the bench has sent is refused", () => {
  expect(() => read([update(0, { kind: "json", text: "{}" })])).toThrow("no publisher of this bench");
});
