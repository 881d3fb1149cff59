/** A connection of many endpoints whose other end is the test. */
import { beforeEach, describe, expect, test } from "vitest";
import {
  type Connection,
  type ConnectOptions,
  connect,
  type SharedSubscription,
  type SubscriptionEvents,
} from "../../../shared/client/client.ts";
import { encodeUpdate, type Frame } from "../../../shared/protocol/frame.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";
import { NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import {
  encodeEnd,
  encodeError,
  encodeOccupancy,
  encodeRateLimited,
  encodeReset,
  encodeVerdict,
  encodeWait,
  PING,
} from "../../../shared/protocol/subscriber.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeTransport } from "../../support/fake-transport.ts";
import { fulfilled } from "../../support/fulfilled.ts";

const at = (text: string) => parsePosition(text) ?? NOTHING;
const value = { kind: "json", text: "1" } as const;
const update = (endpoint: string, offset: number, previous?: number): Frame =>
  encodeUpdate({ endpoint, epoch: "a", offset, previous, timestamp: undefined, headers: [], value });
const verdict = (id: number, position: string, head: string, recovered?: boolean) =>
  encodeVerdict(id, { position: at(position), head: at(head), recovered, cause: undefined });
const unsubscribed = (id: number, unsub: string) => JSON.stringify({ id, ok: { unsub } });

const [ATL, DFW, LAX] = ["/flights/ATL", "/flights/DFW", "/flights/LAX"];

let clock: FakeClock;
let transport: FakeTransport;

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
});

function begin(options: ConnectOptions = {}): Connection {
  return connect("https://edge.example", { transport, clock, ...options });
}

/** What a subscription told, a line for each event. */
function toldBy(subscription: SharedSubscription): string[] {
  const told: string[] = [];
  const note = <K extends keyof SubscriptionEvents>(
    name: K,
    line: (event: SubscriptionEvents[K]) => string,
  ) => subscription.on(name, (event) => told.push(`${name} ${line(event)}`));
  note("update", ({ position }) => position);
  note("verdict", ({ recovered }) => `${recovered}`);
  note("gap", ({ cause, from, position }) => `${cause} ${from}→${position}`);
  note("live", ({ position }) => position);
  note("connection", ({ state }) => state);
  note("wait", ({ code }) => code);
  note("error", ({ code }) => code);
  return told;
}

/** What was said on the present socket since this was last asked, pings apart. */
function said(): unknown[] {
  return transport.socket.messages
    .splice(0)
    .flatMap((message) => (message === PING ? [] : [JSON.parse(String(message))]));
}

/** Two subscriptions that are live, at a:1 and a:2. */
function live() {
  const connection = begin();
  const [atl, dfw] = [connection.subscribe(ATL), connection.subscribe(DFW)];
  transport.socket.open().say(verdict(1, "a:1", "a:1"), verdict(2, "a:2", "a:2"));
  said();
  return { connection, atl, dfw, toldAtl: toldBy(atl), toldDfw: toldBy(dfw) };
}

test("[S16] [O4] what is said of a subscription is that it begins with the oldest, until a verdict says where that is, and wants to know how many there are", () => {
  const connection = begin();
  const atl = connection.subscribe(ATL, { from: "oldest", occupancy: true });
  const dfw = connection.subscribe(DFW);
  const counted: string[] = [];
  for (const one of [atl, dfw])
    one.on("occupancy", ({ subscribers }) => counted.push(`${one.endpoint} ${subscribers}`));
  transport.socket.open();
  const asked = {
    subs: [
      { id: 1, sub: ATL, from: "oldest", occupancy: true },
      { id: 2, sub: DFW },
    ],
  };
  expect(said()).toEqual([asked]);

  transport.socket.drop();
  clock.pass(1_000);
  transport.socket.open();
  expect(said()).toEqual([asked]);
  transport.socket.say(verdict(1, "a:3", "a:3", true), verdict(2, "a:2", "a:2"));
  transport.socket.say(encodeOccupancy(ATL, 7), encodeOccupancy(DFW, 8), encodeOccupancy(LAX, 9));
  transport.socket.say(update(ATL, 9, 8));

  expect(said()).toEqual([{ id: 3, sub: ATL, from: "a:3", occupancy: true }]);
  expect(counted).toEqual([`${ATL} 7`]);
  connection.close();
});

describe("a connection", () => {
  test("[M1] dials the edge under a name by chance, without an endpoint, and keeps the name", () => {
    const names = [0, 0.999].map((chance) => {
      clock.chance = chance;
      begin();
      return new URL(transport.socket.url);
    });

    expect(names.map(({ origin, pathname }) => origin + pathname)).toEqual(
      Array(2).fill("wss://edge.example/$/connect"),
    );
    expect(names.map(({ search }) => search)).toEqual([
      `?client=${"0".repeat(16)}`,
      `?client=${"z".repeat(16)}`,
    ]);
    const { socket } = transport;
    clock.chance = 0.5;
    socket.drop();
    clock.pass(1_000);
    expect(transport.socket).not.toBe(socket);
    expect(transport.socket.url).toBe(socket.url);
  });

  test("[M10] takes another name once the edge said that there is no room under this one", () => {
    clock.chance = 0;
    begin();
    const { socket } = transport;
    clock.chance = 0.5;
    socket.drop(4005, "overloaded");
    clock.pass(500);

    expect(transport.socket.url).toMatch(/\?client=([A-Za-z0-9_-])\1{15}$/);
    expect(transport.socket.url).not.toBe(socket.url);
  });

  test("[M2] says all its subscribes at once when it opens, and later ones together", () => {
    const connection = begin();
    connection.subscribe(ATL);
    connection.subscribe(DFW, { from: "a:88" });
    transport.socket.open();
    expect(said()).toEqual([
      {
        subs: [
          { id: 1, sub: ATL },
          { id: 2, sub: DFW, from: "a:88" },
        ],
      },
    ]);

    connection.subscribe(LAX).close();
    connection.subscribe("/flights/a b");
    expect(said()).toEqual([]);
    clock.pass(0);
    expect(said()).toEqual([{ id: 3, sub: "/flights/a%20b" }]);
  });

  test.each([
    ["quotes/AAPL", "bad_address"],
    ["//other.example/quotes/AAPL", "bad_address"],
    ["/quotes/AAPL?from=a:1", "bad_address"],
    ["/$/streams", "not_found"],
    [`/quotes/${"x".repeat(1_025)}`, "key_too_long"],
  ])("refuses %.40s with %s", (endpoint, code) => {
    const connection = begin();

    expect(() => connection.subscribe(endpoint)).toThrow(expect.objectContaining({ code }));
  });

  test("[M4] refuses a second subscription to an endpoint, a position that is none, and all once it is closed", () => {
    const connection = begin();
    connection.subscribe(ATL);

    const refused = (endpoint: string, from?: string) => () => connection.subscribe(endpoint, { from });
    expect(refused(ATL)).toThrow(expect.objectContaining({ code: "subscribed" }));
    expect(refused(DFW, "youngest")).toThrow(expect.objectContaining({ code: "bad_position" }));
    connection.close();
    expect(refused(DFW)).toThrow(expect.objectContaining({ code: "closed" }));
  });

  test.each([
    ["wss://edge.example/live/", "wss://edge.example/live/$/connect"],
    ["wss://edge.example/a/b/$/connect", "wss://edge.example/a/b/$/connect"],
  ])("[A14] of an edge below a path of a proxy, %s, dials what is there", (url, dialled) => {
    connect(url, { transport, clock });

    expect(transport.socket.url.split("?")[0]).toBe(dialled);
  });

  test("refuses a URL that is no edge's", () => {
    for (const url of ["ws://edge.example/quotes/AAPL", "ftp://edge.example", "edge.example"])
      expect(() => connect(url, { transport, clock })).toThrow(
        expect.objectContaining({ name: "SubscribeError" }),
      );
    expect(transport.dialled).toEqual([]);
  });

  test("[M1] isn't refused by the answer that WebSockets are blocked there, but by one that is about its sender", async () => {
    const connection = begin({ timeouts: { explainMs: 100 } });
    const atl = toldBy(connection.subscribe(ATL));
    transport.problem = { code: "websocket_blocked", message: "", retry: true };
    transport.socket.drop();
    await fulfilled(() => expect(transport.explained).toBe(1));
    clock.pass(500);
    expect(connection.state).toMatchObject({ state: "connecting", problem: { code: "websocket_blocked" } });

    transport.problem = { code: "forbidden_origin", message: "", retry: false };
    transport.socket.drop();
    await fulfilled(() => expect(connection.state.state).toBe("closed"));

    expect(transport.explained).toBe(2);
    expect(atl.at(-1)).toBe("connection closed");
    expect(clock.pending).toBe(0);
  });

  test("[S8] [M11] that is silent is given up, and all come back on the next one, each from its own position", () => {
    const { toldAtl, toldDfw } = live();
    transport.socket.say(update(DFW, 7, 2));
    clock.pass(25_000);
    clock.pass(500);
    transport.socket.open();

    expect(said()).toEqual([
      {
        subs: [
          { id: 1, sub: ATL, from: "a:1" },
          { id: 2, sub: DFW, from: "a:7" },
        ],
      },
    ]);
    transport.socket.say(verdict(2, "a:7", "a:7", true), verdict(1, "a:1", "a:3", true), update(ATL, 3, 1));
    const change = ["backingOff", "connecting", "open"].map((state) => `connection ${state}`);
    expect(toldAtl).toEqual([...change, "verdict true", "update a:3", "live a:3"]);
    expect(toldDfw).toEqual(["update a:7", ...change, "verdict true", "live a:7"]);
  });

  test("[M1] that is refused for good takes all with it", () => {
    const { connection, toldAtl, toldDfw } = live();
    const errors: string[] = [];
    connection.on("error", ({ code }) => errors.push(code));
    transport.socket.drop(4502, "unsupported_version");

    expect(errors).toEqual(["unsupported_version"]);
    expect([toldAtl, toldDfw]).toEqual(Array(2).fill(["connection closed"]));
    expect(clock.pending).toBe(0);
  });

  test("close() ends everything, at once and in the midst of a message, and leaves no timer", () => {
    const { connection, atl, toldAtl, toldDfw } = live();
    atl.on("update", () => connection.close());
    transport.socket.say([update(ATL, 5, 1), update(DFW, 6, 2), update(ATL, 6, 5)].join(SEPARATOR));
    connection.close();
    transport.socket.say(update(DFW, 6, 2)).drop();
    clock.pass(3_600_000);

    expect(toldAtl).toEqual(["update a:5", "connection closed"]);
    expect(toldDfw).toEqual(["connection closed"]);
    expect(transport.socket.closed).toBe(true);
    expect(clock.pending).toBe(0);
    expect([atl.position, atl.phase, atl.connection.state]).toEqual(["a:5", "ended", "closed"]);
  });
});

describe("a subscription", () => {
  test("[M3] [M6] is told what is its own, whatever order it comes in", () => {
    const connection = begin();
    const [atl, dfw] = [toldBy(connection.subscribe(ATL)), toldBy(connection.subscribe(DFW))];
    const reset = { position: at("a:9"), head: at("a:9"), recovered: undefined, cause: "horizon" } as const;

    transport.socket
      .open()
      .say(encodeWait(1, "unavailable", ""))
      .say([verdict(2, "a:1", "a:2"), update(DFW, 2, 1), encodeReset(DFW, reset)].join(SEPARATOR))
      .say(
        update(ATL, 3, 2),
        encodeReset(ATL, reset),
        update(LAX, 1),
        verdict(1, "a:4", "a:4"),
        update(ATL, 5, 4),
      );

    expect(atl).toEqual([
      "connection open",
      "wait unavailable",
      "verdict undefined",
      "live a:4",
      "update a:5",
    ]);
    expect(dfw.slice(1)).toEqual([
      "verdict undefined",
      "update a:2",
      "live a:2",
      "gap horizon a:2→a:9",
      "live a:9",
    ]);
  });

  test("[M5] that was closed hears nothing more, nor does the one after it until its own verdict", () => {
    const { connection, atl, toldAtl } = live();
    atl.close();
    clock.pass(0);
    expect(said()).toEqual([{ id: 3, unsub: ATL }]);
    transport.socket.say(update(ATL, 5, 1));
    const second = toldBy(connection.subscribe(ATL));
    clock.pass(0);
    expect(said()).toEqual([{ id: 4, sub: ATL }]);
    transport.socket.say(
      update(ATL, 6, 5),
      unsubscribed(3, ATL),
      verdict(4, "a:6", "a:6"),
      update(ATL, 7, 6),
    );

    expect(toldAtl).toEqual(["connection closed"]);
    expect(atl.connection).toEqual({ state: "closed", reason: "closed by the subscriber" });
    expect(second).toEqual(["verdict undefined", "live a:6", "update a:7"]);
  });

  test("[M4] may be begun anew as soon as it is told that it is over", () => {
    const { connection, atl } = live();
    let second: SharedSubscription | undefined;
    atl.on("connection", ({ state }) => {
      if (state === "closed") second = connection.subscribe(ATL);
    });
    atl.close();
    clock.pass(0);

    expect(said()).toEqual([{ id: 3, sub: ATL }]);
    transport.socket.say(verdict(3, "a:4", "a:4"));
    expect(second?.phase).toBe("live");
  });

  test("[M4] whose place is taken before its verdict, within one tick or later, isn't told of that", () => {
    const connection = begin();
    const errors: string[] = [];
    connection.on("error", ({ code }) => errors.push(code));
    const first = connection.subscribe(ATL);
    transport.socket.open();
    first.close();
    const second = toldBy(connection.subscribe(ATL));
    clock.pass(0);
    expect(said()).toEqual([
      { id: 1, sub: ATL },
      { id: 2, sub: ATL },
    ]);
    transport.socket.say(encodeError(1, "unavailable", "").replace("unavailable", "superseded"));
    transport.socket.say(verdict(1, "a:1", "a:1"), verdict(2, "a:2", "a:2"));

    expect(second).toEqual(["verdict undefined", "live a:2"]);
    expect(errors).toEqual([]);
  });

  test("[P5] [M6] that misses something asks again, and the others don't notice", () => {
    const { toldAtl, toldDfw } = live();
    transport.socket.say([update(ATL, 5, 3), update(DFW, 4, 2), update(ATL, 6, 5)].join(SEPARATOR));
    expect(said()).toEqual([{ id: 3, sub: ATL, from: "a:1" }]);
    transport.socket.say(verdict(3, "a:1", "a:5", true), update(ATL, 3, 1), update(ATL, 5, 3));

    expect(toldAtl).toEqual(["verdict true", "update a:3", "update a:5", "live a:5"]);
    expect(toldDfw).toEqual(["update a:4"]);
  });

  test("[S15] that never gets on asks on the same connection, after growing delays, and then begins anew", () => {
    const { connection, toldAtl, toldDfw } = live();
    for (let id = 3; id < 8; id++) {
      transport.socket.say(update(ATL, 5, 3), '{"pong":1}');
      clock.pass(id === 3 ? 0 : 10_000);
      expect(said().at(-1)).toEqual({ id, sub: ATL, ...(id < 7 && { from: "a:1" }) });
      transport.socket.say(verdict(id, "a:1", "a:5", true));
    }

    expect(toldAtl).toContain("gap broken a:1→undefined");
    expect(toldDfw).toEqual([]);
    expect([connection.state.state, transport.dialled.length]).toEqual(["open", 1]);
  });

  test("[F9] whose update can't be read asks again; where it can't be told whose it was, all do on another connection", () => {
    const { toldDfw } = live();
    transport.socket.say(`{"e":"${ATL}","p":"a:5","q":1,"v":{"bid"}`);
    expect(said()).toEqual([{ id: 3, sub: ATL, from: "a:1" }]);
    // It has no verdict yet, so that was for what was before.
    transport.socket.say(`{"e":"${ATL}","p":"a:5","q":1,"v":{"bid"}`);
    transport.socket.say(Uint8Array.from(Buffer.from(`{"e":"${DFW}","p":"a","n":1}\nx`)));
    expect(said()).toEqual([{ id: 4, sub: DFW, from: "a:2" }]);
    expect(toldDfw).toEqual([]);

    transport.socket.say("[]");
    expect(transport.socket.closed).toBe(true);
    clock.pass(1_000);
    transport.socket.open();
    expect(said()).toEqual([
      {
        subs: [
          { id: 1, sub: ATL, from: "a:1" },
          { id: 2, sub: DFW, from: "a:2" },
        ],
      },
    ]);
  });

  test("[F9] whose verdict lacks something isn't answered: all come back on another connection", () => {
    begin().subscribe(ATL);
    transport.socket.open().say('{"id":1,"ok":{"position":"a:1"}}');

    expect(transport.socket.closed).toBe(true);
  });

  test("[M3] that is refused for good is over, by itself", () => {
    const connection = begin();
    const [atl, dfw] = [toldBy(connection.subscribe(ATL)), toldBy(connection.subscribe(DFW))];
    transport.socket.open().say(encodeError(1, "forbidden", "no"), verdict(2, "a:1", "a:1"));
    said();

    expect(atl).toEqual(["connection open", "error forbidden", "connection closed"]);
    expect(dfw).toEqual(["connection open", "verdict undefined", "live a:1"]);
    connection.subscribe(ATL);
    clock.pass(0);
    expect(said()).toEqual([{ id: 3, sub: ATL }]);
  });

  test("[M8] that the edge ends is over, or comes back by its position, by itself", () => {
    const { toldAtl, toldDfw } = live();
    transport.socket.say(encodeEnd(ATL, "unavailable", ""), encodeEnd(DFW, "forbidden", "no"));
    transport.socket.say(update(ATL, 5, 1), update(DFW, 5, 2));
    expect(said()).toEqual([]);
    clock.pass(250);

    expect(said()).toEqual([{ id: 3, sub: ATL, from: "a:1" }]);
    expect(toldAtl).toEqual(["error unavailable"]);
    expect(toldDfw).toEqual(["error forbidden", "connection closed"]);
  });

  test("[S13] that isn't answered is asked for again on the same connection", () => {
    const connection = begin();
    connection.subscribe(ATL);
    const dfw = toldBy(connection.subscribe(DFW));
    transport.socket.open().say(verdict(2, "a:1", "a:1"));
    said();
    for (let i = 0; i < 3; i++) {
      clock.pass(10_000);
      transport.socket.say('{"pong":1}');
    }
    clock.pass(250);

    expect(said()).toEqual([{ id: 3, sub: ATL }]);
    expect(dfw).toEqual(["connection open", "verdict undefined", "live a:1"]);
    expect(transport.dialled).toHaveLength(1);
  });

  test("[M10] to which too much was asked waits with all that are to be asked for", () => {
    const connection = begin();
    const told = [ATL, DFW].map((endpoint) => toldBy(connection.subscribe(endpoint)));
    transport.socket.open().say(encodeRateLimited(1, 1_000), encodeRateLimited(2, 2_000));
    said();
    connection.subscribe(LAX);
    clock.pass(2_249);
    expect(said()).toEqual([]);
    clock.pass(1);

    expect(said()).toEqual([
      {
        subs: [
          { id: 3, sub: ATL },
          { id: 4, sub: DFW },
          { id: 5, sub: LAX },
        ],
      },
    ]);
    expect(told).toEqual(Array(2).fill(["connection open", "error rate_limited"]));
  });
});

describe("[M9] the token", () => {
  test("is the connection's: it is renewed once, with an id of the same series, and no subscription notices", async () => {
    let serial = 0;
    const connection = begin({ token: () => `token-${++serial}` });
    await fulfilled(() => expect(transport.dialled).toHaveLength(1));
    const told = [ATL, DFW].map((endpoint) => toldBy(connection.subscribe(endpoint)));
    transport.socket.open().say(verdict(1, "a:1", "a:1"), verdict(2, "a:1", "a:1"));
    said();
    for (const lines of told) lines.length = 0;

    transport.socket.say('{"expires":{"in":60}}');
    clock.pass(15_000);
    await fulfilled(() => expect(said()).toEqual([{ id: 3, token: "token-2" }]));
    transport.socket.say(encodeEnd(DFW, "forbidden", "no"), '{"id":3,"ok":{"expires":1795689542}}');
    connection.subscribe(LAX);
    clock.pass(0);

    expect(said()).toEqual([{ id: 4, sub: LAX }]);
    expect(told).toEqual([[], ["error forbidden", "connection closed"]]);
    expect(serial).toBe(2);
    connection.close();
  });

  test("that is refused is replaced once, and then all come back from their positions", async () => {
    let serial = 0;
    const connection = begin({ token: () => `token-${++serial}` });
    await fulfilled(() => expect(transport.dialled).toHaveLength(1));
    const told = toldBy(connection.subscribe(ATL));
    transport.socket
      .open()
      .say(verdict(1, "a:1", "a:1"))
      .drop(4515, "expired");
    clock.pass(3_000);
    await fulfilled(() => expect(serial).toBe(2));
    clock.pass(500);
    transport.socket.open();

    expect(transport.socket.token).toBe("token-2");
    expect(said()).toEqual([{ id: 1, sub: ATL, from: "a:1" }]);
    expect(told.filter((line) => line.startsWith("error"))).toEqual([]);
    connection.close();
  });
});
