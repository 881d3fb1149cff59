/** The client that applications use, on a connection whose other end is the test. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  Client,
  ClientError,
  type ClientOptions,
  type Subscription,
  textCodec,
  type Update,
} from "../../../../shared/client/index.ts";
import { encodeUpdate, type Frame, type Value } from "../../../../shared/protocol/frame.ts";
import { NOTHING, parsePosition } from "../../../../shared/protocol/position.ts";
import { decodePublication, encodeTaken, type Publication } from "../../../../shared/protocol/publication.ts";
import {
  encodeError,
  encodeReset,
  encodeVerdict,
  PING,
  PONG,
} from "../../../../shared/protocol/subscriber.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { type FakeSocket, FakeTransport } from "../../../support/fake-transport.ts";

const at = (text: string) => parsePosition(text) ?? NOTHING;
const json = (text: string): Value => ({ kind: "json", text });
const update = (endpoint: string, offset: number, value: Value = json(String(offset))): Frame =>
  encodeUpdate({
    endpoint,
    epoch: "a",
    offset,
    previous: offset > 1 ? offset - 1 : undefined,
    timestamp: undefined,
    headers: [],
    value,
  });
const verdict = (id: number, position: string, head = position, recovered?: boolean, cause?: string) =>
  encodeVerdict(id, { position: at(position), head: at(head), recovered, cause });

const [ATL, DFW] = ["/flights/ATL", "/flights/DFW"];

let clock: FakeClock;
let transport: FakeTransport;
let client: Client;

function newClient(options: ClientOptions = {}): Client {
  return new Client("https://edge.example", { transport, clock, ...options });
}

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
  client = newClient();
});

afterEach(() => {
  client.close();
  // No timer is left, whatever a test has done.
  expect(clock.pending).toBe(0);
});

/** What was said on a socket since this was last asked, pings apart; each with its id. */
function said(socket: FakeSocket = transport.socket): Record<string, unknown>[] {
  return socket.messages
    .splice(0)
    .filter((message) => message !== PING)
    .flatMap((message) => {
      const frame = JSON.parse(String(message)) as Record<string, unknown>;
      return (frame.subs as Record<string, unknown>[] | undefined) ?? [frame];
    });
}

/** A subscription that is live at a:1, having had that update. */
function live<T = unknown>(options: Parameters<typeof client.subscribe<T>>[1] = {}): Subscription<T> {
  const subscription = client.subscribe<T>(ATL, options);
  transport.socket.open().say(verdict(1, "-", "a:1"), update(ATL, 1));
  said();
  return subscription;
}

/** Answers the last subscribe that was said. */
function answer(position: string, head = position, recovered?: boolean, cause?: string): void {
  clock.pass(0);
  const id = Number(said().at(-1)?.id);
  transport.socket.say(verdict(id, position, head, recovered, cause));
}

/** The offsets of so many updates that an iteration gives next. */
async function read<T>(iterator: AsyncIterator<Update<T>, undefined>, count: number): Promise<Update<T>[]> {
  const updates: Update<T>[] = [];
  for (let i = 0; i < count; i++) {
    const { value, done } = await iterator.next();
    if (done) throw new Error(`it ended after ${i}`);
    updates.push(value);
  }
  return updates;
}

const offsets = (updates: readonly Update[]) => updates.map(({ offset }) => offset);
const iteratorOf = <T>(subscription: AsyncIterable<Update<T>>) =>
  subscription[Symbol.asyncIterator]() as AsyncIterator<Update<T>, undefined>;

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
    expect([subscription.phase, subscription.position]).toEqual(["ended", "a:4"]);
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

  test("given back goes on from there, and it is said whether anything is missing", () => {
    const subscription = client.subscribe(ATL, { from: "a:4" });
    const told: string[] = [];
    subscription.on("recovered", ({ position }) => told.push(`recovered ${position}`));
    subscription.on("gap", ({ cause }) => told.push(`gap ${cause}`));
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

  test("that is none is refused", () => {
    expect(() => client.subscribe(ATL, { from: "oldest" })).toThrow(
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

describe("the connection", () => {
  test("is dialled when it is needed, carries all endpoints, and is closed when nothing has needed it for a while", () => {
    expect(transport.dialled).toEqual([]);
    const [atl, dfw] = [client.subscribe(ATL), client.subscribe({ topic: "flights", key: "DFW" })];
    transport.socket.open();
    expect(said().map(({ sub }) => sub)).toEqual([ATL, DFW]);
    expect(client.connection?.state).toBe("open");

    atl.close();
    clock.pass(5_000);
    expect(transport.socket.closed).toBe(false);
    dfw.close();
    clock.pass(999);
    expect(transport.socket.closed).toBe(false);
    clock.pass(1);
    expect(transport.socket.closed).toBe(true);
    expect([client.connection, clock.pending]).toEqual([undefined, 0]);

    client.subscribe(ATL);
    expect(transport.dialled.length).toBe(2);
  });

  test("stays when a subscription ends and the same begins in one go, as in a page that renders twice", () => {
    client.subscribe(ATL).close();
    const subscription = client.subscribe(ATL);
    transport.socket.open();

    expect(said()).toMatchObject([{ sub: ATL }]);
    clock.pass(10_000);
    expect(transport.dialled.length).toBe(1);
    expect(subscription.phase).toBe("asked");
  });

  test("[M4] has one subscription to an endpoint for all who begin with the latest, each of whom gets that first", async () => {
    live();
    transport.socket.say(update(ATL, 2));
    const second = client.subscribe(ATL);
    const told: string[] = [];
    second.on("update", ({ offset }) => told.push(`update ${offset}`));
    second.on("live", ({ position }) => told.push(`live ${position}`));
    expect(told).toEqual([]);
    await vi.waitFor(() => expect(told).toEqual(["update 2", "live a:2"]));
    transport.socket.say(update(ATL, 3));

    expect(told).toEqual(["update 2", "live a:2", "update 3"]);
    expect(second.position).toBe("a:3");
    clock.pass(0);
    expect(said()).toEqual([]);
  });

  test("who begins while updates come gets each once and in order", async () => {
    const first = live();
    const heard: number[] = [];
    let second: Subscription | undefined;
    first.on("update", () => {
      if (second !== undefined) return;
      second = client.subscribe(ATL);
      second.on("update", ({ offset }) => heard.push(offset));
    });
    transport.socket.say([update(ATL, 2), update(ATL, 3)].join("\u001e"));
    await Promise.resolve();
    transport.socket.say(update(ATL, 4));

    expect(heard).toEqual([3, 4]);
  });

  test("[M4] who resumes from a position beside another gets that on a connection of its own", () => {
    live();
    const [first] = transport.dialled;
    const resumed = client.subscribe(ATL, { from: "a:0" });
    transport.socket.open();

    expect(transport.dialled.length).toBe(2);
    expect(said()).toMatchObject([{ sub: ATL, from: "a:0" }]);
    resumed.close();
    clock.pass(1_000);
    expect([transport.socket.closed, first?.closed]).toEqual([true, false]);
  });

  test("says when anything was heard last", () => {
    const subscription = client.subscribe(ATL);
    expect(subscription.lastHeardAt).toBeUndefined();
    const before = Date.now();
    transport.socket.open();

    expect(subscription.lastHeardAt).toBeGreaterThanOrEqual(before);
    expect(subscription.lastHeardAt).toBeLessThanOrEqual(Date.now());
  });

  test("that is refused for good ends all with the edge's error, and another subscribe dials again", () => {
    const errors: (ClientError | undefined)[] = [];
    for (const path of [ATL, DFW]) client.subscribe(path).on("closed", ({ error }) => errors.push(error));
    transport.socket.open().drop(4521, "forbidden_origin: pages of this origin aren't answered here");

    expect(errors.map((error) => [error?.code, error?.endpoint])).toEqual([
      ["forbidden_origin", ATL],
      ["forbidden_origin", DFW],
    ]);
    expect(clock.pending).toBe(0);
    client.subscribe(ATL);
    expect(transport.dialled.length).toBe(2);
  });
});

describe("close()", () => {
  test("ends all without an error, for good", () => {
    const told: unknown[] = [];
    const subscription = live();
    subscription.on("closed", ({ error }) => told.push(error));
    client.close();

    expect(told).toEqual([undefined]);
    expect([transport.socket.closed, subscription.phase, subscription.position]).toEqual([
      true,
      "ended",
      "-",
    ]);
    expect(() => client.subscribe(ATL)).toThrow(ClientError);
  });

  test("of a subscription is heard of once, and nothing after it", () => {
    const subscription = live();
    const told: string[] = [];
    subscription.on("update", () => told.push("update"));
    subscription.on("closed", () => told.push("closed"));
    subscription.close();
    subscription.close();
    transport.socket.say(update(ATL, 2));

    expect(told).toEqual(["closed"]);
  });

  test("pause() leaves the edge, and resume() goes on from there", () => {
    const subscription = live();
    subscription.on("update", () => {});
    subscription.pause();
    clock.pass(100);
    expect([subscription.phase, subscription.connection]).toEqual(["paused", undefined]);
    expect(said()).toMatchObject([{ unsub: ATL }]);
    subscription.resume();
    clock.pass(0);
    expect(said()).toMatchObject([{ sub: ATL, from: "a:1" }]);
  });
});

describe("tokens", () => {
  test("are asked for once, by whoever needs one first, and again only for another one", async () => {
    let asked = 0;
    client = newClient({ token: () => `token-${++asked}` });
    client.subscribe(ATL);
    client.subscribe(ATL, { from: "a:1" });
    await vi.waitFor(() => expect(transport.dialled.length).toBe(2));
    expect(transport.dialled.map(({ token }) => token)).toEqual(["token-1", "token-1"]);

    transport.socket.open().drop(4515, "expired");
    await vi.waitFor(() => expect(asked).toBe(2));
    clock.pass(1_000);
    expect(transport.socket.token).toBe("token-2");
  });
});

/** What was published on the present socket since this was last asked. */
function published(): Publication[] {
  return transport.socket.messages.splice(0).flatMap((message) => {
    const read = decodePublication(message);
    return read?.ok ? [read.value] : [];
  });
}

const textOf = ({ value }: Publication) => (value === null ? null : new TextDecoder().decode(value));

describe("publish()", () => {
  test("sends JSON on the one connection as soon as that has answered anything, and resolves with the position", async () => {
    const position = client.publish(ATL, { to: "MIA" }, { idempotencyKey: "c0ffee" });
    transport.socket.open();
    expect(published()).toEqual([]);
    transport.socket.say(PONG);
    const [publication] = published();
    expect(publication).toMatchObject({ id: 1, endpoint: ATL, key: "c0ffee", headers: [] });
    expect(publication && textOf(publication)).toBe('{"to":"MIA"}');
    transport.socket.say(encodeTaken(1, "a:7"));

    expect(await position).toBe("a:7");
    clock.pass(999);
    expect(transport.socket.closed).toBe(false);
    clock.pass(1);
    expect(transport.socket.closed).toBe(true);
  });

  test("takes bytes as they are, text by its codec, and null as JSON; delete() makes a tombstone", async () => {
    const order = "none";
    const outcomes = [
      client.publish(ATL, new TextEncoder().encode("bytes"), { order }),
      client.publish(ATL, "text", { order, codec: textCodec }),
      client.publish(ATL, null, { order }),
      client.delete(ATL, { order }),
    ];
    transport.socket.open().say(PONG);
    const sent = published();
    expect(sent.map(textOf)).toEqual(["bytes", "text", "null", null]);
    for (const { id } of sent) transport.socket.say(encodeTaken(id, `a:${id}`));

    expect(await Promise.all(outcomes)).toEqual(["a:1", "a:2", "a:3", "a:4"]);
    await expect(client.publish(ATL, undefined)).rejects.toThrow(TypeError);
    await expect(client.publish("flights", 1)).rejects.toMatchObject({ code: "bad_address" });
  });

  test("keeps the order of the calls to an endpoint over a connection that breaks, with the key of each", async () => {
    const outcomes = [client.publish(ATL, 1), client.publish(ATL, 2), client.publish(DFW, 3)];
    transport.socket.open().say(PONG);
    const before = published();
    expect(before.map(textOf)).toEqual(["1", "3"]);
    transport.socket.drop();
    clock.pass(30_000);
    transport.socket.open().say(PONG);
    const [again, dfw] = published();
    expect([again?.key, dfw?.key]).toEqual(before.map(({ key }) => key));
    transport.socket.say(encodeTaken(again?.id ?? 0, "a:1"), encodeTaken(dfw?.id ?? 0, "b:1"));
    const [second] = published();
    transport.socket.say(encodeTaken(second?.id ?? 0, "a:2"));

    expect(await Promise.all(outcomes)).toEqual(["a:1", "a:2", "b:1"]);
  });

  test("fails when the client is closed, and nothing is left over", async () => {
    const outcome = client.publish(ATL, 1);
    client.close();

    await expect(outcome).rejects.toMatchObject({ name: "PublishError", code: "closed" });
    await expect(client.publish(ATL, 1)).rejects.toMatchObject({ code: "closed" });
  });
});

describe("subscribeMany()", () => {
  test("gives the updates of all in one iteration, and each its position", async () => {
    const group = client.subscribeMany<number>([ATL, { topic: "flights", key: "DFW" }], {
      from: { [DFW]: "a:4" },
    });
    transport.socket.open();
    expect(said()).toMatchObject([{ sub: ATL }, { sub: DFW, from: "a:4" }]);
    transport.socket.say(
      verdict(1, "-", "a:1"),
      verdict(2, "a:4", "a:4", true),
      update(ATL, 1),
      update(DFW, 5),
    );
    const iterator = iteratorOf(group);
    await iterator.next();

    expect(group.positions).toEqual({ [ATL]: "a:1", [DFW]: "a:4" });
    expect((await read(iterator, 1))[0]).toMatchObject({ endpoint: DFW, value: 5 });
    expect(group.positions).toEqual({ [ATL]: "a:1", [DFW]: "a:5" });
  });

  test("takes further endpoints and lets go of some, whose end is nobody else's", async () => {
    const group = client.subscribeMany([ATL]);
    const told: string[] = [];
    group.on("closed", ({ subscription, event }) =>
      told.push(`${subscription.endpoint} ${event.error?.code}`),
    );
    group.add(DFW);
    transport.socket.open().say(verdict(1, "-", "a:1"), encodeError(2, "forbidden", "no"), update(ATL, 1));
    expect(told).toEqual([`${DFW} forbidden`]);
    expect([...group.subscriptions.keys()]).toEqual([ATL]);

    group.delete(ATL);
    expect(told).toEqual([`${DFW} forbidden`, `${ATL} undefined`]);
    group.close();
  });

  test("ends an iteration with the error of any of them, and closes all", async () => {
    const iterator = iteratorOf(client.subscribeMany([ATL, DFW]));
    const next = iterator.next();
    transport.socket.open().say(encodeError(2, "forbidden", "no"));

    await expect(next).rejects.toMatchObject({ code: "forbidden", endpoint: DFW });
    clock.pass(1_000);
    expect(transport.socket.closed).toBe(true);
  });

  test("pauses all when nobody reads, and resumes each where it was", async () => {
    const group = client.subscribeMany([ATL, DFW], { buffer: { size: 2 } });
    transport.socket
      .open()
      .say(verdict(1, "-", "a:1"), verdict(2, "-", "a:1"), update(ATL, 1), update(DFW, 1));
    expect(said().filter(({ unsub }) => unsub !== undefined)).toMatchObject([{ unsub: ATL }, { unsub: DFW }]);
    const iterator = iteratorOf(group);
    await iterator.next();
    clock.pass(0);

    expect(said()).toMatchObject([
      { sub: ATL, from: "a:1" },
      { sub: DFW, from: "a:1" },
    ]);
    expect(group.positions).toEqual({ [ATL]: "a:1", [DFW]: "-" });
    group.close();
    expect(group.positions).toEqual({ [ATL]: "a:1", [DFW]: "-" });
  });

  test("begins nothing if one of its paths is none", () => {
    expect(() => client.subscribeMany([ATL, "nowhere"])).toThrow(
      expect.objectContaining({ code: "bad_address" }),
    );
    expect(transport.dialled).toEqual([]);
  });
});
