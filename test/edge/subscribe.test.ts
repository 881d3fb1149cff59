import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge();
  origin = await new ScriptedOrigin({ url: edge.url, window: 4, page: 3 }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

/** An endpoint that no other test uses. */
const newPath = () => `/quotes/key-${++keys}`;

function subscribe(path: string, from?: string): RawSubscriber {
  return new RawSubscriber(`${edge.wsUrl}${path}${from === undefined ? "" : `?from=${from}`}`);
}

/** Values as JSON. */
const values = (subscriber: RawSubscriber) =>
  subscriber.updates.map(({ value }) => (value === null ? null : (JSON.parse(value.toString()) as unknown)));

async function updates(subscriber: RawSubscriber, count: number): Promise<RawSubscriber> {
  await subscriber.until(({ updates }) => updates.length >= count, `${count} updates`);
  expect(subscriber.violations).toEqual([]);
  return subscriber;
}

describe("a subscribe", () => {
  test("[S1] [S3] without from begins with the latest update and goes on live", async () => {
    const path = newPath();
    origin.append(path, 1);
    origin.append(path, 2);
    const subscriber = subscribe(path);

    const verdict = await subscriber.verdict();
    await updates(subscriber, 1);
    origin.append(path, 3);
    await updates(subscriber, 2);

    expect(verdict.recovered).toBeUndefined();
    expect(verdict.head).toBe(`e.0:${Number(verdict.position.slice(4)) + 1}`);
    expect(values(subscriber)).toEqual([2, 3]);
    expect(subscriber.position).toBe(origin.headOf(path));
  });

  test("[S3] [P2] of a key that nobody has written stands at nothing, and gets the first record", async () => {
    const path = newPath();
    const subscriber = subscribe(path);

    expect(await subscriber.verdict()).toEqual({ position: "-", head: "-" });
    origin.append(path, "first");

    expect(values(await updates(subscriber, 1))).toEqual(["first"]);
  });

  test("[S3] [R1] from a position in the window gets what follows it, without a question to the origin", async () => {
    const path = newPath();
    const positions = [1, 2, 3].map((value) => `e.0:${origin.append(path, value).offset}`);
    await updates(subscribe(path), 1);
    const asked = origin.attaches.length;

    const subscriber = await updates(subscribe(path, positions[0]), 2);

    expect(await subscriber.verdict()).toEqual({
      position: positions[0],
      head: positions[2],
      recovered: true,
    });
    expect(values(subscriber)).toEqual([2, 3]);
    expect(origin.attaches.length).toBe(asked);
  });

  test("[S3] [R2] [U5] from a position before the window is caught up from the origin, page by page, and goes live", async () => {
    const path = newPath();
    const positions = Array.from({ length: 12 }, (_, i) => `e.0:${origin.append(path, i).offset}`);
    await updates(subscribe(path), 1);

    const subscriber = await updates(subscribe(path, positions[0]), 11);
    origin.append(path, 12);
    await updates(subscriber, 12);

    expect((await subscriber.verdict()).recovered).toBe(true);
    expect(subscriber.verdicts).toHaveLength(1);
    expect(values(subscriber)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  });

  test.each([
    ["before what the origin holds", "horizon"],
    ["of another incarnation of the topic", "epoch"],
    ["past the end of the log", "ahead"],
  ] as const)("[S3] [R4] from a position %s is told so, and begins with the latest", async (_, cause) => {
    const path = newPath();
    const epoch = `${cause}.0`;
    const first = origin.append(path, 1, epoch);
    origin.append(path, 2, epoch);
    const last = origin.append(path, 3, epoch);
    if (cause === "horizon") origin.log.dropBefore(last.offset, epoch);
    const from = {
      horizon: `${epoch}:${first.offset}`,
      epoch: "gone.0:4",
      ahead: `${epoch}:${last.offset + 9}`,
    };

    const subscriber = await updates(subscribe(path, from[cause]), 1);

    expect(await subscriber.verdict()).toMatchObject({
      recovered: false,
      cause,
      head: `${epoch}:${last.offset}`,
    });
    expect(values(subscriber)).toEqual([3]);
  });

  test("[S2] on the same socket again chains from its own verdict", async () => {
    const path = newPath();
    const positions = [1, 2, 3].map((value) => `e.0:${origin.append(path, value).offset}`);
    const subscriber = await updates(subscribe(path), 1);

    subscriber.send({ id: 1, sub: path, from: positions[0] });
    await updates(subscriber, 3);
    origin.append(path, 4);
    await updates(subscriber, 4);

    expect(subscriber.verdicts[1]).toEqual({ position: positions[0], head: positions[2], recovered: true });
    expect(values(subscriber)).toEqual([3, 2, 3, 4]);
  });

  test("[A5] [A7] of a key whose path is longer than a name may be works like any other", async () => {
    const path = `/quotes/${"%C3%BC".repeat(500)}`;
    const subscriber = subscribe(path);
    await subscriber.verdict();

    origin.append(path, 1);

    expect(values(await updates(subscriber, 1))).toEqual([1]);
  });

  test("[S4] [R5] [U7] whose source can't answer is told to wait, and gets its verdict when it can", async () => {
    const path = newPath();
    origin.append(path, 1);
    origin.answering = false;
    const subscriber = subscribe(path);
    await subscriber.until(({ others }) => others.length > 0, "a wait");

    expect(subscriber.others).toEqual([
      { id: 0, wait: expect.objectContaining({ code: "unavailable", retry: true }) },
    ]);
    expect(subscriber.verdicts).toEqual([]);
    origin.answerHeld();

    expect(values(await updates(subscriber, 1))).toEqual([1]);
  });
});

describe("updates", () => {
  test("[F1] [F5] [F10] [F11] [F12] text and bytes in one batch arrive in order and unchanged", async () => {
    const path = newPath();
    const other = newPath();
    const subscriber = subscribe(path);
    const neighbour = subscribe(other);
    await Promise.all([subscriber.verdict(), neighbour.verdict()]);
    await eventually(
      () => origin.linksOf(path).length > 0 && origin.linksOf(other).length > 0,
      "both watched",
    );
    const mixed = Array.from({ length: 60 }, (_, i) =>
      i % 5 === 0 ? new Uint8Array([i, 0x1e, 0x0a, 0xff]) : i,
    );

    origin.appendBatch([path, other], mixed);
    await updates(subscriber, 30);
    await updates(neighbour, 30);

    for (const [receiver, rest] of [
      [subscriber, 0],
      [neighbour, 1],
    ] as const)
      expect(receiver.updates.map(({ value }) => value?.toString("latin1"))).toEqual(
        mixed
          .filter((_, i) => i % 2 === rest)
          .map((value) =>
            typeof value === "number" ? String(value) : Buffer.from(value).toString("latin1"),
          ),
      );
  });

  test("[F7] [F8] tombstones and omitted values are updates like others", async () => {
    const path = newPath();
    const subscriber = subscribe(path);
    await subscriber.verdict();

    origin.append(path, null);
    origin.append(path, { kind: "omitted", size: 9_000_000 });
    origin.append(path, 3);

    expect(values(await updates(subscriber, 3))).toEqual([null, null, 3]);
  });

  test("[P6] epochs of one endpoint chain each by itself", async () => {
    const path = newPath();
    const subscriber = subscribe(path);
    await subscriber.verdict();

    for (let i = 0; i < 10; i++) origin.append(path, i, `p.${i % 2}`);
    await updates(subscriber, 10);
    const resumed = await updates(subscribe(path, subscriber.position), 0);

    expect(await resumed.verdict()).toMatchObject({ recovered: true, position: origin.headOf(path) });
  });

  test("[P5] a gap, whatever made it, is filled from the origin before anything that follows it", async () => {
    const path = newPath();
    const subscriber = subscribe(path);
    await subscriber.verdict();
    origin.append(path, 1);
    await updates(subscriber, 1);

    origin.appendSilently(path, [2, 3, 4, 5, 6]);
    origin.append(path, 7);

    expect(values(await updates(subscriber, 7))).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("200 subscribers of one endpoint get each update, and it goes down the link once", async () => {
    const path = newPath();
    const subscribers = Array.from({ length: 200 }, () => subscribe(path));
    await Promise.all(subscribers.map((subscriber) => subscriber.verdict()));
    const before = await edge.operations();

    for (let i = 0; i < 20; i++) origin.append(path, i);
    await Promise.all(subscribers.map((subscriber) => updates(subscriber, 20)));

    const after = await edge.operations();
    const rise = (name: string) => Number(after[name]) - Number(before[name]);
    expect(rise("websocket_message_out.endpoint")).toBe(200 * 20);
    expect(rise("websocket_message_in.endpoint_link")).toBeLessThanOrEqual(20);
    expect(rise("rows_written")).toBe(0);
    for (const subscriber of subscribers)
      expect(values(subscriber)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    await Promise.all(subscribers.map((subscriber) => subscriber.close()));
  });

  test("[S9] [C5] a subscriber that doesn't read is closed and comes back by position; the others miss nothing", async () => {
    const path = newPath();
    const reader = subscribe(path);
    const slow = subscribe(path);
    await Promise.all([reader.verdict(), slow.verdict()]);
    // workerd ends the connection of a socket that has never sent anything only long after the close.
    slow.send('{"ping":1}');
    await slow.until(({ others }) => others.length === 1, "a pong");
    slow.socket.pause();
    const large = "x".repeat(256 * 1024);

    for (let i = 0; i < 80; i++) {
      origin.append(path, `${i}${large}`);
      await updates(reader, i + 1);
    }
    slow.socket.resume();
    await slow.until(({ closed }) => closed !== undefined, "the close");

    expect(slow.closed).toEqual({ code: 4001, reason: "slow_consumer" });
    expect(slow.violations).toEqual([]);
    expect(slow.updates.length).toBeLessThan(80);
    const back = await updates(subscribe(path, slow.position), 80 - slow.updates.length);
    expect((await back.verdict()).recovered).toBe(true);
  }, 30_000);
});

describe("what subscribers say", () => {
  test("[S8] a ping is answered without waking the object", async () => {
    const path = newPath();
    const subscriber = subscribe(path);
    await subscriber.verdict();
    const before = await edge.operations();

    for (let i = 0; i < 5; i++) subscriber.send('{"ping":1}');
    await subscriber.until(({ others }) => others.length === 5, "five pongs");

    const after = await edge.operations();
    expect(subscriber.others).toEqual(Array(5).fill({ pong: 1 }));
    expect(after["websocket_message_in.endpoint_subscriber"]).toBe(
      before["websocket_message_in.endpoint_subscriber"],
    );
  });

  test.each<[string, string | Buffer, number, string]>([
    ["no JSON", "?", 4500, "bad_frame"],
    ["bytes", Buffer.from([1, 2, 3]), 4500, "bad_frame"],
    ["an id that doesn't grow", `{"id":0,"sub":"/quotes/x"}`, 4500, "bad_frame"],
    ["more than 16 KiB", `{"id":1,"sub":"/quotes/x","x":"${"x".repeat(16_384)}"}`, 4501, "frame_too_large"],
  ])("[S2] [S7] [C5] %s closes its own socket, and nobody else's", async (_, message, code, reason) => {
    const path = newPath();
    const rude = subscribe(path);
    const other = subscribe(path);
    await Promise.all([rude.verdict(), other.verdict()]);

    rude.socket.send(message);
    await rude.until(({ closed }) => closed !== undefined, "the close");
    origin.append(path, 1);

    expect(rude.closed).toEqual({ code, reason });
    expect(values(await updates(other, 1))).toEqual([1]);
  });

  test("[S7] [V4] a frame that can't be served is answered, and the subscription goes on", async () => {
    const path = newPath();
    const subscriber = subscribe(path);
    await subscriber.verdict();

    subscriber.send({ id: 1, sub: "/quotes/another" });
    subscriber.send({ id: 2, later: path });
    subscriber.send({ id: 3, sub: path, from: "nowhere" });
    await subscriber.until(({ others }) => others.length === 3, "three errors");
    origin.append(path, 1);
    await updates(subscriber, 1);

    const codes = subscriber.others.map(({ id, error }) => [id, (error as { code: string }).code]);
    expect(codes).toEqual([
      [1, "unsupported"],
      [2, "unsupported"],
      [3, "bad_position"],
    ]);
  });

  test.each([
    ["without a code", undefined, 1005],
    ["with 1000", 1000, 1000],
    ["with a code of its own", 3123, 3123],
  ])("a close %s is answered with one", async (_, code, answered) => {
    const subscriber = subscribe(newPath());
    await subscriber.verdict();

    if (code === undefined) subscriber.socket.close();
    else subscriber.socket.close(code);
    await subscriber.until(({ closed }) => closed !== undefined, "the close");

    expect([1000, answered]).toContain(subscriber.closed?.code);
    expect(subscriber.socket.readyState).toBe(WebSocket.CLOSED);
  });
});
