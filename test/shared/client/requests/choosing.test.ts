/** Which way a dial takes, in virtual time: the WebSocket and what answers requests are the test's. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { withFallback } from "../../../../shared/client/choosing.ts";
import type { Transport, Way } from "../../../../shared/client/transport.ts";
import { CLOSE } from "../../../../shared/protocol/codes.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { type FakeSocket, FakeTransport } from "../../../support/fake-transport.ts";
import { fulfilled } from "../../../support/fulfilled.ts";

const EDGE = "wss://edge.example/$/connect";

let clock: FakeClock;
let first: FakeTransport;
let transport: Transport;
/** What answers requests: an edge, something else, or nobody. */
let answers: "edge" | "other" | "nobody";
let requests: number;
let told: unknown[];
let kept: Map<string, string>;

beforeEach(() => {
  clock = new FakeClock();
  first = new FakeTransport();
  transport = withFallback(first, clock);
  answers = "edge";
  requests = 0;
  told = [];
  kept = new Map();
  vi.stubGlobal("fetch", async () => {
    requests++;
    if (answers === "nobody") throw new TypeError("no network");
    if (answers === "other") return new Response("<html>", { status: 404 });
    const error = { code: "bad_upgrade", message: "", retry: false };
    return Response.json({ error }, { status: 400 });
  });
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
  return () => vi.unstubAllGlobals();
});
afterEach(() => expect(clock.pending).toBe(0));

const dial = () =>
  transport.dial(
    `${EDGE}?client=x`,
    {
      opened: (way?: Way) => told.push(`opened ${way ?? "as before"}`),
      message: (message) => told.push(message),
      closed: (code, reason) => told.push(`closed ${code} ${reason}`.trim()),
    },
    "",
  );

/** The WebSocket that was dialled as the so-manieth. */
const webSocket = (count: number): Promise<FakeSocket> =>
  fulfilled(() => {
    const socket = first.dialled[count - 1];
    if (socket === undefined) throw new Error(`there was no dial ${count}`);
    return socket;
  });
const until = (what: string) => fulfilled(() => expect(told).toContain(what));

describe("a WebSocket", () => {
  test("that opens, and on which something comes, is what is used, and nothing is asked", async () => {
    const socket = dial();
    const inner = (await webSocket(1)).open();
    clock.pass(4_000);
    inner.say('{"pong":1}');
    clock.pass(60_000);
    socket.send("x");
    inner.drop(1006);

    expect(told).toEqual(["opened as before", '{"pong":1}', "closed 1006"]);
    expect([requests, inner.messages]).toEqual([0, ["x"]]);
  });

  test("[H9] that the edge refuses by a close is refused, whether it had opened or not", async () => {
    dial();
    (await webSocket(1)).open().drop(CLOSE.no_token, "no_token");
    dial();
    (await webSocket(2)).drop(CLOSE.forbidden_origin, "forbidden_origin");

    expect(told).toEqual(["opened as before", "closed 4513 no_token", "closed 4521 forbidden_origin"]);
    expect(requests).toBe(0);
  });

  test("that fails where nobody answers requests either is a dial that failed, and nothing is learned of it", async () => {
    for (const [i, answer] of (["nobody", "other"] as const).entries()) {
      answers = answer;
      dial();
      (await webSocket(i + 1)).drop();
      await fulfilled(() => expect(told).toHaveLength(i + 1));
    }
    dial().close();

    expect(told).toEqual(Array(2).fill("closed 1006 nothing answers by HTTP either"));
    expect(first.dialled).toHaveLength(3);
  });

  test("is tried once more when there turns out to be an edge, which may just have come back", async () => {
    const socket = dial();
    (await webSocket(1)).drop();
    (await webSocket(2)).open().say('{"pong":1}');
    socket.send("x");

    expect(told).toEqual(["opened as before", '{"pong":1}']);
    expect(first.socket.messages).toEqual(["x"]);
    socket.close();
    expect(first.socket.closed).toBe(true);
  });
});

describe("requests", () => {
  /** Two WebSockets in a row fail. */
  const detour = async () => {
    const socket = dial();
    (await webSocket(1)).drop();
    (await webSocket(2)).drop();
    return socket;
  };

  test("are used when both fail, and for ten minutes no other WebSocket is tried", async () => {
    (await detour()).close();
    expect(told).toEqual(["opened events"]);
    clock.pass(9 * 60_000);
    const again = dial();
    await fulfilled(() => expect(told).toHaveLength(2));
    again.close();
    expect(first.dialled).toHaveLength(2);
    clock.pass(60_000);
    dial().close();

    expect(first.dialled).toHaveLength(3);
  });

  test("are remembered beyond a page's reload, and forgotten if nobody answers them", async () => {
    (await detour()).close();
    transport = withFallback(first, clock);
    answers = "nobody";
    dial();
    await until("closed 1006 nothing answers by HTTP either");
    expect(first.dialled).toHaveLength(2);
    dial().close();
    transport = withFallback(first, clock);
    dial().close();

    expect(first.dialled).toHaveLength(4);
  });

  test("are used at once if a WebSocket takes longer than 3 s to open", async () => {
    const socket = dial();
    const inner = await webSocket(1);
    clock.pass(3_000);
    await until("opened events");

    expect(inner.closed).toBe(true);
    expect(first.dialled).toHaveLength(1);
    inner.open().drop();
    expect(told).toEqual(["opened events"]);
    socket.close();
  });

  test("are used after two WebSockets in a row that opened and on which nothing came", async () => {
    dial();
    (await webSocket(1)).open();
    clock.pass(5_000);
    dial();
    (await webSocket(2)).open().drop(1006);
    const third = dial();
    await until("opened events");
    third.close();

    expect(told.slice(0, 4)).toEqual([
      "opened as before",
      "closed 1006 nothing came on it",
      "opened as before",
      "closed 1006",
    ]);
  });

  test("that are given up before they are answered come to nothing", async () => {
    const socket = dial();
    (await webSocket(1)).drop();
    socket.close();
    await new Promise((resolve) => setTimeout(resolve));

    expect(told).toEqual([]);
    expect(first.dialled).toHaveLength(1);
  });
});
