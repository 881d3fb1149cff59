/** What comes to a subscription, as an application reads it: by iterating, decoded, with its position. */
import { describe, expect, test } from "vitest";
import { textCodec } from "../../../../shared/client/index.ts";
import type { Value } from "../../../../shared/protocol/frame.ts";
import { encodeError, encodeReset } from "../../../../shared/protocol/subscriber.ts";
import {
  ATL,
  answer,
  at,
  client,
  clock,
  iteratorOf,
  json,
  live,
  offsets,
  read,
  said,
  transport,
  update,
  verdict,
  withClient,
} from "../../../support/client-world.ts";

withClient();

describe("an iteration", () => {
  test("has the updates since the subscription began, decoded, however late it begins", async () => {
    const subscription = live<number>();
    transport.socket.say(update(ATL, 2));
    const [first, second] = await read(iteratorOf(subscription), 2);

    expect(first).toMatchObject({ endpoint: ATL, position: "a:1", offset: 1, value: 1, deleted: false });
    expect(second).toMatchObject({ position: "a:2", value: 2, skipped: 0, gap: undefined });
    expect(second?.bytes()).toEqual(new TextEncoder().encode("2"));
  });

  test("waits for what comes, for several readers in turn", async () => {
    const iterator = iteratorOf(live());
    const reads = [iterator.next(), iterator.next(), iterator.next()];
    transport.socket.say(update(ATL, 2), update(ATL, 3));

    const results = await Promise.all(reads);
    expect(results.map(({ value }) => value?.offset)).toEqual([1, 2, 3]);
  });

  test("closes the subscription when its loop is left, and with that what the edge was asked for", async () => {
    const subscription = live();
    for await (const { offset } of subscription) if (offset === 1) break;

    expect(subscription.phase).toBe("ended");
    clock.pass(0);
    expect(said()).toMatchObject([{ unsub: ATL }]);
  });

  test("[P3] whose loop is left leaves the position of the last update that it gave, whatever else had come", async () => {
    const subscription = live();
    transport.socket.say(update(ATL, 2), update(ATL, 3));
    for await (const { offset } of subscription) if (offset === 2) break;

    expect(subscription.position).toBe("a:2");
  });

  test("reads what is unread, and then ends, if the subscription is closed", async () => {
    const subscription = live();
    subscription.close();
    const read: number[] = [];
    for await (const { offset } of subscription) read.push(offset);

    expect(read).toEqual([1]);
  });

  test("rejects once with the edge's error, and is over then", async () => {
    const iterator = iteratorOf(client.subscribe(ATL));
    const next = iterator.next();
    transport.socket.open().say(encodeError(1, "forbidden", "the token does not allow this"));

    await expect(next).rejects.toMatchObject({
      name: "ClientError",
      code: "forbidden",
      retry: false,
      endpoint: ATL,
    });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test("rejects with the reason of its signal", async () => {
    const abort = new AbortController();
    const subscription = client.subscribe(ATL, { signal: abort.signal });
    const next = iteratorOf(subscription).next();
    abort.abort(new Error("enough"));

    await expect(next).rejects.toThrow("enough");
    expect(subscription.phase).toBe("ended");
    expect(() => client.subscribe(ATL, { signal: abort.signal })).toThrow("enough");
  });

  test("says before which update something may be missing", async () => {
    const iterator = iteratorOf(live());
    transport.socket.say(
      encodeReset(ATL, { position: at("a:6"), head: at("a:7"), recovered: undefined, cause: "horizon" }),
      update(ATL, 7),
      update(ATL, 8),
    );
    const [, after, next] = await read(iterator, 3);

    expect(after).toMatchObject({ offset: 7, gap: { cause: "horizon", from: "a:1", position: "a:6" } });
    expect(next).toMatchObject({ offset: 8, gap: undefined });
  });
});

describe("a slow reader", () => {
  const size = 3;

  test("by default pauses the subscription, which resumes where it was, and misses nothing", async () => {
    const subscription = live({ buffer: { size } });
    const iterator = iteratorOf(subscription);
    transport.socket.say(update(ATL, 2), update(ATL, 3));
    expect(subscription.phase).toBe("paused");
    clock.pass(0);
    expect(said()).toMatchObject([{ unsub: ATL }]);
    // Of what is still on its way nothing is taken.
    transport.socket.say(update(ATL, 4));

    expect(offsets(await read(iterator, 2))).toEqual([1, 2]);
    clock.pass(0);
    const [again] = said();
    expect(again).toMatchObject({ sub: ATL, from: "a:3" });
    transport.socket.say(verdict(Number(again?.id), "a:3", "a:5", true), update(ATL, 4), update(ATL, 5));
    expect(offsets(await read(iterator, 3))).toEqual([3, 4, 5]);
  });

  test("may have the oldest left out, and hears how many, and of the gap before them", async () => {
    const subscription = live({ buffer: { size, whenFull: "conflate" } });
    const iterator = iteratorOf(subscription);
    await iterator.next();
    transport.socket.say(
      encodeReset(ATL, { position: at("a:6"), head: at("a:7"), recovered: undefined, cause: "horizon" }),
      ...[7, 8, 9, 10, 11].map((offset) => update(ATL, offset)),
    );
    const updates = await read(iterator, 3);

    expect(updates.map(({ offset, skipped }) => [offset, skipped])).toEqual([
      [9, 2],
      [10, 0],
      [11, 0],
    ]);
    expect(updates[0]?.gap).toMatchObject({ cause: "horizon", from: "a:1" });
    expect(subscription.phase).toBe("live");
  });

  test("may get an error after what it hasn't read", async () => {
    const subscription = live({ buffer: { size, whenFull: "error" } });
    const iterator = iteratorOf(subscription);
    transport.socket.say(update(ATL, 2), update(ATL, 3), update(ATL, 4));

    expect(offsets(await read(iterator, 3))).toEqual([1, 2, 3]);
    await expect(iterator.next()).rejects.toMatchObject({ code: "slow_reader", retry: true });
    expect([subscription.phase, subscription.position]).toEqual(["ended", "a:3"]);
  });

  test.each([0, 1.5, -1])("can't have a buffer of %d", (size) => {
    expect(() => client.subscribe(ATL, { buffer: { size } })).toThrow(RangeError);
    expect(client.connection).toBeUndefined();
  });

  test("doesn't count where listeners take the updates", () => {
    const subscription = client.subscribe(ATL, { buffer: { size } });
    const heard: number[] = [];
    subscription.on("update", ({ offset }) => heard.push(offset));
    transport.socket
      .open()
      .say(verdict(1, "-", "a:1"), ...[1, 2, 3, 4, 5].map((offset) => update(ATL, offset)));

    expect(heard).toEqual([1, 2, 3, 4, 5]);
    expect(subscription.phase).toBe("live");
  });
});

describe("a position", () => {
  test("is that of what was handed out, not of what lies unread", async () => {
    const subscription = live();
    transport.socket.say(update(ATL, 2), update(ATL, 3));
    const iterator = iteratorOf(subscription);
    const positions = [subscription.position];
    for (let i = 0; i < 3; i++) {
      await iterator.next();
      positions.push(subscription.position);
    }

    expect(positions).toEqual(["-", "a:1", "a:2", "a:3"]);
  });

  test("is that before a gap which an iteration hasn't heard of, so that who resumes there hears of it", async () => {
    const subscription = live();
    const iterator = iteratorOf(subscription);
    await iterator.next();
    transport.socket.say(
      encodeReset(ATL, { position: at("a:6"), head: at("a:7"), recovered: undefined, cause: "horizon" }),
    );
    const positions = [subscription.position];
    transport.socket.say(update(ATL, 7));
    positions.push(subscription.position);
    await iterator.next();
    positions.push(subscription.position);

    expect(positions).toEqual(["a:1", "a:1", "a:7"]);
  });

  test("is that before what was left out, since that wasn't handed out", async () => {
    const subscription = live({ buffer: { size: 1, whenFull: "conflate" } });
    const iterator = iteratorOf(subscription);
    await iterator.next();
    transport.socket.say(update(ATL, 2), update(ATL, 3), update(ATL, 4));
    const before = subscription.position;
    const [latest] = await read(iterator, 1);

    expect([before, latest?.offset, latest?.skipped, subscription.position]).toEqual(["a:1", 4, 2, "a:4"]);
  });

  test("given back goes on from there, and it is said whether anything is missing", () => {
    const subscription = client.subscribe(ATL, { from: "a:4" });
    const told: string[] = [];
    subscription.on("recovered", ({ position }) => told.push(`recovered ${position}`));
    subscription.on("gap", ({ cause }) => told.push(`gap ${cause}`));
    subscription.on("update", () => {});
    transport.socket.open();
    expect([subscription.position, subscription.recovered, subscription.upToDate]).toEqual([
      "a:4",
      undefined,
      false,
    ]);
    answer("a:4", "a:4", true);
    expect([subscription.recovered, subscription.upToDate]).toEqual([true, true]);

    transport.socket.drop();
    expect(subscription.upToDate).toBe(false);
    clock.pass(30_000);
    transport.socket.open();
    answer("a:8", "a:9", false, "horizon");

    expect(told).toEqual(["recovered a:4", "gap horizon"]);
    expect([subscription.recovered, subscription.position]).toEqual([false, "a:8"]);
  });

  test("[S16] of the oldest begins with all the history there is, also if it was paused before that was answered", () => {
    const subscription = client.subscribe(ATL, { from: "oldest" });
    subscription.on("update", () => {});
    subscription.pause();
    subscription.resume();
    transport.socket.open();
    expect(said()).toMatchObject([{ sub: ATL, from: "oldest" }]);
    expect(subscription.position).toBeUndefined();
    transport.socket.say(verdict(1, "a:3", "a:4", true), update(ATL, 4));
    expect([subscription.position, subscription.recovered]).toEqual(["a:4", true]);
    transport.socket.drop();
    clock.pass(30_000);
    transport.socket.open();

    expect(said()).toMatchObject([{ sub: ATL, from: "a:4" }]);
  });

  test("that is none is refused", () => {
    expect(() => client.subscribe(ATL, { from: "newest" })).toThrow(
      expect.objectContaining({ code: "bad_position" }),
    );
  });
});

describe("a value", () => {
  test.each<[string, Value, unknown]>([
    ["JSON", json('{"bid":1}'), { bid: 1 }],
    ["text", { kind: "text", text: "hello" }, "hello"],
    ["bytes", { kind: "bytes", bytes: Uint8Array.of(255, 0) }, Uint8Array.of(255, 0)],
  ])("that is %s is that by default", async (_, value, decoded) => {
    const iterator = iteratorOf(live());
    transport.socket.say(update(ATL, 2, value));

    expect((await read(iterator, 2)).at(1)?.value).toEqual(decoded);
  });

  test("goes through a schema, which throws where the value is read, and nowhere else", async () => {
    const schema = {
      parse(value: unknown): { readonly bid: number } {
        if (typeof value === "object" && value !== null && "bid" in value) return { bid: Number(value.bid) };
        throw new TypeError("no quote");
      },
    };
    const iterator = iteratorOf(live({ schema }));
    transport.socket.say(update(ATL, 2, json('{"bid":7}')));
    const [bad, good] = await read(iterator, 2);

    expect(() => bad?.value).toThrow("no quote");
    expect(bad?.text()).toBe("1");
    expect(good?.value?.bid).toBe(7);
  });

  test("may be read by a codec", async () => {
    const iterator = iteratorOf(live<string>({ codec: textCodec }));

    expect((await read(iterator, 1))[0]?.value).toBe("1");
  });

  test("of a tombstone is none; one that was too large to travel throws", async () => {
    const iterator = iteratorOf(live());
    transport.socket.say(
      update(ATL, 2, { kind: "tombstone" }),
      update(ATL, 3, { kind: "omitted", size: 9e6 }),
    );
    const [, tombstone, omitted] = await read(iterator, 3);

    expect([tombstone?.deleted, tombstone?.value]).toEqual([true, undefined]);
    expect(() => omitted?.value).toThrow(expect.objectContaining({ code: "value_too_large" }));
  });
});
