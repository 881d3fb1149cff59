import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type SubscribeOptions,
  type Subscription,
  type SubscriptionEvents,
  subscribe,
} from "../../../shared/client/client.ts";
import { encodeUpdate, type Frame, type Value } from "../../../shared/protocol/frame.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";
import { NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import {
  encodeError,
  encodeOccupancy,
  encodeReset,
  encodeVerdict,
  encodeWait,
  PING,
} from "../../../shared/protocol/subscriber.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeTransport } from "../../support/fake-transport.ts";

const path = "/quotes/AAPL";
const url = `ws://edge.example${path}`;
const at = (text: string) => parsePosition(text) ?? NOTHING;
const json = (text: string): Value => ({ kind: "json", text });
const update = (
  offset: number,
  previous?: number,
  value = json(`{"bid":${offset}}`),
  endpoint = path,
): Frame =>
  encodeUpdate({ endpoint, epoch: "a", offset, previous, timestamp: undefined, headers: [], value });
const fresh = (position: string, head: string) =>
  encodeVerdict(0, { position: at(position), head: at(head), recovered: undefined, cause: undefined });
const recovered = (position: string, head: string, id = 0) =>
  encodeVerdict(id, { position: at(position), head: at(head), recovered: true, cause: undefined });
const unrecovered = (position: string, head: string) =>
  encodeVerdict(0, { position: at(position), head: at(head), recovered: false, cause: "horizon" });

let clock: FakeClock;
let transport: FakeTransport;

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
});

/** A subscription, and what it told, a line for each event. */
function begin(options: SubscribeOptions = {}, to = url): { subscription: Subscription; told: string[] } {
  const subscription = subscribe(to, { transport, clock, ...options });
  const told: string[] = [];
  const note = <K extends keyof SubscriptionEvents>(
    name: K,
    line: (event: SubscriptionEvents[K]) => string,
  ) => subscription.on(name, (event) => told.push(`${name} ${line(event)}`.trim()));
  note("update", ({ position }) => position);
  note("verdict", ({ recovered }) => `${recovered}`);
  note("gap", ({ cause, from, position }) => `${cause} ${from}→${position}`);
  note("live", ({ position }) => position);
  note("connection", ({ state }) => state);
  note("wait", ({ code }) => code);
  note("error", ({ code }) => code);
  return { subscription, told };
}

describe("a subscription", () => {
  test("[F8] tells of headers that didn't travel, and of none where there are none", () => {
    const { subscription } = begin();
    const omitted: (number | undefined)[] = [];
    subscription.on("update", ({ headersOmitted }) => omitted.push(headersOmitted));
    const known = { endpoint: path, epoch: "a", timestamp: undefined, headers: [], value: json("1") };

    transport.socket
      .open()
      .say(
        fresh("a:40", "a:42"),
        encodeUpdate({ ...known, offset: 41, previous: 40, headersOmitted: 17 }),
        encodeUpdate({ ...known, offset: 42, previous: 41 }),
      );

    expect(omitted).toEqual([17, undefined]);
  });

  test("[S1] [S3] dials its endpoint, and tells the verdict, the updates and when it has caught up", () => {
    const { subscription, told } = begin();

    transport.socket.open().say(fresh("a:40", "a:41"), update(41, 40), update(45, 41));

    expect(transport.urls).toEqual([path]);
    expect(told).toEqual(["connection open", "verdict undefined", "update a:41", "live a:41", "update a:45"]);
    expect(subscription.position).toBe("a:45");
    expect(subscription.phase).toBe("live");
  });

  test("[F10] takes several frames in one message one after the other", () => {
    const { told } = begin();

    transport.socket.open().say([fresh("a:40", "a:42"), update(41, 40), update(42, 41)].join(SEPARATOR));

    expect(told.slice(1)).toEqual(["verdict undefined", "update a:41", "update a:42", "live a:42"]);
  });

  test("[F5] [F11] [F12] takes binary frames in their place among the others", () => {
    const { subscription } = begin();
    const values: unknown[] = [];
    subscription.on("update", (received) => values.push(received.bytes()));
    const bytes = (...all: number[]): Value => ({ kind: "bytes", bytes: Uint8Array.from(all) });
    const [first, second] = [update(2, 1, bytes(0xff, 0x0a)), update(3, 2, bytes())];
    const both = Uint8Array.from([...Buffer.from(first), ...Buffer.from(second)]);

    transport.socket.open().say(fresh("a:0", "a:4"), update(1, 0, json("1")), both, update(4, 3, json("4")));

    expect(values).toEqual([
      Uint8Array.of(0x31),
      Uint8Array.of(0xff, 0x0a),
      new Uint8Array(),
      Uint8Array.of(0x34),
    ]);
    expect(subscription.position).toBe("a:4");
  });

  test("[S10] resumes from its position, and what comes twice is told once", () => {
    const { subscription, told } = begin();
    transport.socket.open().say(fresh("a:40", "a:41"), update(41, 40));
    told.length = 0;

    transport.socket.drop();
    clock.pass(500);
    transport.socket.open().say(recovered("a:41", "a:50"), update(41, 40), update(50, 41));

    expect(transport.urls).toEqual([path, `${path}?from=a%3A41`]);
    expect(told).toEqual([
      "connection backingOff",
      "connection connecting",
      "connection open",
      "verdict true",
      "update a:50",
      "live a:50",
    ]);
    expect(subscription.statistics).toEqual({ received: 2, duplicates: 1, holes: 0, gaps: 0, resumes: 1 });
  });

  test("goes on where an earlier one was when it is given its position, as text or in the URL", () => {
    begin({ from: "a:41,b:3" });
    begin({}, `${url}?from=a:41`);
    const { subscription, told } = begin({ from: "a:41" });
    transport.socket.open().say(unrecovered("a:99", "a:99"));

    expect(transport.urls).toEqual([
      `${path}?from=a%3A41%2Cb%3A3`,
      `${path}?from=a%3A41`,
      `${path}?from=a%3A41`,
    ]);
    expect(told).toEqual(["connection open", "verdict false", "gap horizon a:41→a:99", "live a:99"]);
    expect(subscription.statistics.gaps).toBe(1);
  });

  test("[S16] begins with the oldest when told so, by option or URL, until a verdict has said where that is", () => {
    begin({}, `${url}?from=oldest`);
    const { subscription, told } = begin({ from: "oldest" });
    transport.socket.drop();
    clock.pass(500);
    transport.socket.open().say(recovered("a:7", "a:9"), update(9, 7)).drop();
    clock.pass(1_000);

    const oldest = `${path}?from=oldest`;
    expect(transport.urls).toEqual([oldest, oldest, oldest, `${path}?from=a%3A9`]);
    expect(told).not.toContainEqual(expect.stringMatching("gap"));
    expect(subscription.statistics).toMatchObject({ received: 1, gaps: 0 });
  });

  test("[O4] asks how many subscribers there are, when it dials and when it asks again, and tells that", () => {
    for (const [options, to] of [
      [{ occupancy: true }, url],
      [{}, `${url}?occupancy`],
    ] as const) {
      const { subscription } = begin(options, to);
      const counted: number[] = [];
      subscription.on("occupancy", ({ subscribers }) => counted.push(subscribers));
      const { socket } = transport;
      expect(transport.urls.at(-1)).toBe("/quotes/AAPL?occupancy=");
      socket.open().say(fresh("a:1", "a:1"), encodeOccupancy(path, 3), encodeOccupancy("/quotes/MSFT", 9));
      socket.say(update(9, 7));

      expect(counted).toEqual([3]);
      expect(JSON.parse(socket.sent.at(-1) ?? "")).toEqual({
        id: 1,
        sub: path,
        from: "a:1",
        occupancy: true,
      });
    }
  });

  test("[O4] tells nothing of what it didn't ask for", () => {
    const { subscription, told } = begin();
    subscription.on("occupancy", () => told.push("occupancy"));
    transport.socket.open().say(fresh("a:1", "a:1"), encodeOccupancy(path, 3));

    expect(told).not.toContain("occupancy");
  });

  test("[S15] comes back without a position after one that led nowhere, though its URL had named it", () => {
    const { told } = begin({}, `${url}?from=a:1`);
    for (let i = 0; i < 4; i++) {
      transport.socket.open().say(recovered("a:1", "a:9"), update(9, 7));
      if (i === 0) transport.socket.say(recovered("a:1", "a:9", 1), update(9, 7));
      clock.pass(5_000);
    }

    expect(told).toContain("gap broken a:1→undefined");
    expect(transport.urls.slice(-1)).toEqual([path]);
  });

  test("[P5] [S2] asks again on its socket when something is missing, and that is no gap", () => {
    const { subscription, told } = begin();
    const socket = transport.socket.open().say(fresh("a:40", "a:41"), update(41, 40));

    socket.say(update(45, 43), recovered("a:41", "a:45", 1), update(43, 41), update(45, 43));

    expect(socket.sent).toEqual([PING, '{"id":1,"sub":"/quotes/AAPL","from":"a:41"}']);
    expect(told.slice(-4)).toEqual(["verdict true", "update a:43", "update a:45", "live a:45"]);
    expect(subscription.statistics).toMatchObject({ received: 3, holes: 1, gaps: 0 });
  });

  test.each([
    ["malformed JSON", '{"e":"/quotes/AAPL","p":"a:42","q":41,"v":{"bid"}'],
    ["malformed bytes", Uint8Array.of(0xff, 0xff)],
    ["a control frame that is none", "[]"],
  ])("[F9] asks again after %s", (_, frame) => {
    begin();
    const socket = transport.socket.open().say(fresh("a:41", "a:41"), frame);

    expect(socket.sent).toEqual([PING, '{"id":1,"sub":"/quotes/AAPL","from":"a:41"}']);
  });

  test("[S5] tells a reset as a gap before what follows it", () => {
    const { told } = begin();
    transport.socket.open().say(fresh("a:41", "a:41"));
    const reset = { position: at("a:70"), head: at("a:71"), recovered: undefined, cause: "ahead" } as const;

    transport.socket.say(encodeReset("/quotes/MSFT", reset), encodeReset(path, reset), update(71, 70));

    expect(told.slice(-3)).toEqual(["gap ahead a:41→a:70", "update a:71", "live a:71"]);
  });

  test("[S4] tells that it has to wait, and then waits as long as it takes", () => {
    const { told } = begin();
    const socket = transport.socket.open().say(encodeWait(0, "unavailable", "no origin"));

    for (let i = 0; i < 100; i++) {
      clock.pass(10_000);
      socket.say('{"pong":1}');
    }

    expect(told).toEqual(["connection open", "wait unavailable"]);
  });

  test("[V4] [R4] takes a verdict and a reset for a reason that it doesn't know, and tells it", () => {
    const { told } = begin({ from: "a:1" });
    const cause = "moved";
    const verdict = { position: at("a:40"), head: at("a:40"), recovered: false, cause };
    const reset = { position: at("a:70"), head: at("a:70"), recovered: undefined, cause };

    const socket = transport.socket.open().say(encodeVerdict(0, verdict), encodeReset(path, reset));

    expect(told).toEqual([
      "connection open",
      "verdict false",
      "gap moved a:1→a:40",
      "live a:40",
      "gap moved a:40→a:70",
      "live a:70",
    ]);
    expect(socket.sent).toEqual([PING]);
  });

  test("[V4] ignores what it doesn't know, and what is another endpoint's", () => {
    const { subscription, told } = begin();

    const unknown = ['{"revoked":1}', '{"id":9}', update(99, 98, json("1"), "/quotes/MSFT")];
    transport.socket.open().say(fresh("a:41", "a:41"), ...unknown);

    expect(told).toEqual(["connection open", "verdict undefined", "live a:41"]);
    expect(subscription.position).toBe("a:41");
  });

  test("[A3] dials the canonical spelling of its address, with a scheme for WebSockets", () => {
    begin({}, "https://edge.example/quotes/a%2fb c?x=1#y");

    expect(transport.socket.url).toBe("wss://edge.example/quotes/a%2Fb%20c?x=1");
  });

  test("[A14] below a path of a proxy, dials what is there", () => {
    begin({}, "wss://edge.example/a/live/quotes/a:b?x=1");

    expect(transport.socket.url).toBe("wss://edge.example/a/live/quotes/a%3Ab?x=1");
  });

  test("[A13] dials the spelling of base64url as it is, and takes the updates of its endpoint", () => {
    const { told } = begin({}, "wss://edge.example/live/quotes/$b64.YS9i");
    transport.socket.open().say(fresh("a:-1", "a:-1"));
    transport.socket.say('{"e":"/quotes/a%2Fb","p":"a:1","v":1}');

    expect(transport.socket.url).toBe("wss://edge.example/live/quotes/$b64.YS9i");
    expect(JSON.stringify(told)).toContain("a:1");
  });

  test.each([
    ["ftp://edge.example/quotes/AAPL", undefined, "bad_address"],
    ["/quotes/AAPL", undefined, "bad_address"],
    ["ws://edge.example/quo tes/AAPL", undefined, "bad_address"],
    ["ws://edge.example/$/streams", undefined, "not_found"],
    [`ws://edge.example/quotes/${"x".repeat(1_025)}`, undefined, "key_too_long"],
    [url, "a:-1", "bad_position"],
  ])("refuses %.40s from %s with %s, and dials nothing", (to, from, code) => {
    expect(() => subscribe(to, { transport, clock, from })).toThrow(expect.objectContaining({ code }));
    expect(transport.dialled).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe("[S8] a connection on which nothing is heard", () => {
  test("is asked for a sign of life in exactly these bytes, and given up when there is none", () => {
    const { told } = begin();
    const silent = transport.socket.open().say(fresh("a:41", "a:41"));

    clock.pass(15_000);
    expect(silent.sent).toEqual([PING, PING]);
    clock.pass(10_000);
    expect(silent.closed).toBe(true);
    clock.pass(500);

    expect(told.slice(-2)).toEqual(["connection backingOff", "connection connecting"]);
    expect(transport.urls.at(-1)).toBe(`${path}?from=a%3A41`);
  });

  test("stays as long as a pong comes", () => {
    const { told } = begin();
    const socket = transport.socket.open().say(fresh("a:41", "a:41"));

    for (let i = 0; i < 10; i++) {
      clock.pass(15_000);
      socket.say('{"pong":1}');
    }

    expect(told.filter((line) => line.startsWith("connection"))).toEqual(["connection open"]);
    expect(socket.sent).toHaveLength(11);
  });

  test("and that was given up can say nothing more", () => {
    const { told, subscription } = begin();
    const old = transport.socket.open().say(fresh("a:41", "a:41"));
    clock.pass(25_000);
    clock.pass(500);
    transport.socket.open().say(recovered("a:41", "a:41"));
    told.length = 0;

    old.say(update(42, 41)).drop(4500);

    expect(told).toEqual([]);
    expect(subscription.position).toBe("a:41");
  });
});

test("a subscribe that is never answered is tried on another connection", () => {
  begin();
  const socket = transport.socket.open();
  for (let i = 0; i < 3; i++) {
    clock.pass(10_000);
    socket.say('{"pong":1}');
  }
  clock.pass(1_000);

  expect(socket.closed).toBe(true);
  expect(transport.dialled).toHaveLength(2);
});

describe("a path that came to the edge as another one", () => {
  const errorAfter = (reason: string, code: number) => {
    const { subscription } = begin();
    const messages: string[] = [];
    subscription.on("error", ({ message }) => messages.push(message));
    transport.socket.open().drop(code, reason);
    return messages.join();
  };

  test.each([
    [`not_canonical: dial ${path}`, 4511],
    ["bad_upgrade: no WebSocket is served here", 4512],
  ])("[A3] %s: a proxy is named", (reason, code) => {
    expect(errorAfter(reason, code)).toContain("a proxy on the way changes paths");
  });

  test("[A3] is not blamed on a proxy if the edge names yet another one", () => {
    expect(errorAfter("not_canonical: dial /other/key", 4511)).toBe("dial /other/key");
  });
});

describe("an address that the edge refuses", () => {
  const problem = (code: string, retry = false) => ({ code, message: "", retry });

  test("[H4] is asked about once the dial has failed, and then the subscription is over", async () => {
    transport.problem = problem("unknown_topic");
    const { told } = begin();

    transport.socket.drop();
    await expect.poll(() => told).toContain("connection closed");

    expect(told).toEqual(["connection backingOff", "error unknown_topic", "connection closed"]);
    expect(clock.pending).toBe(0);
  });

  test.each([
    [problem("websocket_blocked", true), "websocket_blocked"],
    [problem("unavailable", true), "unavailable"],
    [problem("not_an_edge", true), "not_an_edge"],
    [undefined, undefined],
  ])(
    "is not one that may be had later: %j; the connection says why it can't be opened: %s",
    async (answer, why) => {
      transport.problem = answer;
      const { told, subscription } = begin();

      transport.socket.drop();
      await Promise.resolve();
      clock.pass(500);

      expect(transport.explained).toBe(1);
      const twice = why === undefined ? [] : ["connection backingOff"];
      expect(told).toEqual(["connection backingOff", ...twice, "connection connecting"]);
      expect(subscription.connection.problem?.code).toBe(why);
      transport.socket.open();
      expect(subscription.connection).toEqual({ state: "open" });
    },
  );

  test("[C2] [H6] is dialled again some time after the edge said, not before", async () => {
    transport.problem = problem("unavailable", true);
    transport.retryAfterMs = 7_000;
    const { subscription } = begin();

    transport.socket.drop();
    await expect.poll(() => subscription.connection.retryMs).toBeGreaterThanOrEqual(7_000);
    clock.pass(7_000);
    expect(transport.dialled).toHaveLength(1);
    clock.pass(1_000);

    expect(transport.dialled).toHaveLength(2);
  });

  test("[S7] ends a subscription with an error that says so", () => {
    const { told } = begin();

    transport.socket.open().say(encodeError(0, "unsupported", "not here"));

    expect(told).toEqual(["connection open", "error unsupported", "connection closed"]);
    expect(transport.socket.closed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("[C3] [V2] ends it with a close code that says so", () => {
    const { subscription, told } = begin();

    transport.socket.open().drop(4502, "unsupported_version");

    expect(told).toEqual(["connection open", "error unsupported_version", "connection closed"]);
    expect(subscription.connection).toMatchObject({ code: 4502, reason: "unsupported_version" });
    expect(clock.pending).toBe(0);
  });
});

describe("close()", () => {
  const situations: Record<string, () => void> = {
    connecting: () => {},
    open: () => transport.socket.open(),
    live: () => transport.socket.open().say(fresh("a:41", "a:41")),
    waiting: () => transport.socket.open().say(encodeWait(0, "unavailable", "")),
    "backing off": () => transport.socket.open().drop(),
  };
  test.each(Object.entries(situations))("%s: ends everything and leaves no timer", (_, arrange) => {
    const { subscription, told } = begin();
    arrange();
    told.length = 0;
    const { socket } = transport;

    subscription.close();
    subscription.close();
    socket.open().say(fresh("a:41", "a:42"), update(42, 41)).drop();
    clock.pass(3_600_000);

    expect(told).toEqual(["connection closed"]);
    expect(clock.pending).toBe(0);
    expect(transport.dialled).toHaveLength(1);
  });

  test("within a listener it takes effect at once, in the midst of a message too", () => {
    const { subscription, told } = begin();
    subscription.on("update", () => subscription.close());

    transport.socket.open().say([fresh("a:40", "a:42"), update(41, 40), update(42, 41)].join(SEPARATOR));

    expect(told.slice(-2)).toEqual(["update a:41", "connection closed"]);
    expect(subscription.position).toBe("a:41");
    expect(clock.pending).toBe(0);
  });
});

describe("listeners", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test("that are taken away hear nothing more", () => {
    const { subscription } = begin();
    const listener = vi.fn();
    const off = subscription.on("update", listener);
    transport.socket.open().say(fresh("a:40", "a:41"), update(41, 40));

    off();
    transport.socket.say(update(42, 41));

    expect(listener).toHaveBeenCalledTimes(1);
  });

  test("that throw harm neither the chain nor the others", () => {
    const thrown: (() => void)[] = [];
    vi.stubGlobal("queueMicrotask", (task: () => void) => thrown.push(task));
    const { subscription } = begin();
    subscription.on("update", () => {
      throw new Error("of the listener");
    });
    const after = vi.fn();
    subscription.on("update", after);

    transport.socket.open().say([fresh("a:40", "a:42"), update(41, 40), update(42, 41)].join(SEPARATOR));

    expect(after).toHaveBeenCalledTimes(2);
    expect(subscription.statistics).toMatchObject({ received: 2, holes: 0 });
    expect(thrown).toHaveLength(2);
    for (const task of thrown) expect(task).toThrow("of the listener");
  });
});
