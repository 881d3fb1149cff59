/** Quotas of addresses, on workerd as `npm run edge` runs it; 127.128.0.0/9 stands for others' addresses. */
import { request } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { WorkerdEdge } from "../support/workerd-edge.ts";

const KEY = "/quotes/key";
const OTHER_KEY = "/quotes/other";
/** Of this one there are many updates. */
const LONG_KEY = "/quotes/long";
const MANY = 80;
const ALL = "?from=e.0:1";

/** Of an endpoint for each id. */
const path = (id: number) => `${KEY}-${id}`;

interface Answer {
  readonly status: number | undefined;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

class Edge {
  readonly #port: number;

  static async start(env: Readonly<Record<string, string>>): Promise<Edge> {
    const edge = await WorkerdEdge.start(env);
    onTestFinished(() => edge.close());
    for (const key of [KEY, OTHER_KEY]) edge.origin.append(key, 1);
    for (let i = 0; i < MANY; i++) edge.origin.append(LONG_KEY, i);
    return new Edge(edge.port);
  }

  private constructor(port: number) {
    this.#port = port;
  }

  get(localAddress: string, headers: Readonly<Record<string, string>> = {}, path = KEY): Promise<Answer> {
    return this.#ask("GET", localAddress, headers, path);
  }

  /** What an event stream tells at its beginning. */
  events(localAddress: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const asked = { host: "127.0.0.1", port: this.#port, path: KEY, localAddress, agent: false };
    return new Promise<string>((resolve, reject) => {
      const sent = request({ ...asked, headers: { Accept: "text/event-stream", ...headers } }, (answer) => {
        let told = "";
        answer.setEncoding("utf8");
        answer.on("data", (text: string) => {
          told += text;
          // How long to wait before coming back is no event.
          if (!/^event: /m.test(told) || !told.endsWith("\n\n")) return;
          sent.destroy();
          resolve(told);
        });
      });
      sent.once("error", reject);
      sent.end();
    });
  }

  post(localAddress: string, path: string): Promise<Answer> {
    return this.#ask("POST", localAddress, {}, path);
  }

  #ask(method: string, localAddress: string, headers: Readonly<Record<string, string>>, path: string) {
    const asked = { method, host: "127.0.0.1", port: this.#port, path, localAddress, headers, agent: false };
    return new Promise<Answer>((resolve, reject) => {
      const sent = request(asked, (answer) => {
        let body = "";
        answer.setEncoding("utf8");
        answer.on("data", (text: string) => {
          body += text;
        });
        answer.once("end", () =>
          resolve({ status: answer.statusCode, retryAfter: answer.headers["retry-after"], body }),
        );
      });
      sent.once("error", reject);
      sent.end();
    });
  }

  async statuses(localAddress: string, count: number, headers = {}): Promise<(number | undefined)[]> {
    const all: (number | undefined)[] = [];
    for (let i = 0; i < count; i++) all.push((await this.get(localAddress, headers)).status);
    return all;
  }

  /** What becomes of subscribes with these ids, each to a key of its own, on a connection of many endpoints. */
  connect(localAddress: string, ids: readonly number[]): Promise<readonly string[]> {
    const subs = JSON.stringify({ subs: ids.map((id) => ({ id, sub: path(id) })) });
    return this.#outcomes(localAddress, "/$/connect?client=one", ids, [subs]);
  }

  /** What becomes of frames with these ids that nobody knows, on the socket of one endpoint. */
  says(localAddress: string, path: string, ids: readonly number[]): Promise<readonly string[]> {
    const frames = ids.map((id) => JSON.stringify({ id, later: 1 }));
    return this.#outcomes(localAddress, path, ids, frames);
  }

  #outcomes(
    localAddress: string,
    path: string,
    ids: readonly number[],
    messages: readonly string[],
  ): Promise<readonly string[]> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}${path}`, "distributary.v1", { localAddress });
    onTestFinished(() => socket.terminate());
    const outcomes = new Map<number, string>();
    return new Promise((resolve, reject) => {
      socket.once("open", () => {
        for (const message of messages) socket.send(message);
      });
      socket.on("message", (message) => {
        for (const told of String(message).split("\u001e")) {
          const { id } = JSON.parse(told) as { readonly id?: number };
          if (id !== undefined) outcomes.set(id, outcomeOf(told));
        }
        if (ids.every((id) => outcomes.has(id))) resolve(ids.map((id) => outcomes.get(id) ?? ""));
      });
      socket.once("close", (code, reason) => reject(new Error(`${code} ${String(reason)}`)));
      socket.once("error", reject);
    });
  }

  /** The status of a list of what followed. */
  async list(localAddress: string, query: string): Promise<number | undefined> {
    return (await this.get(localAddress, {}, LONG_KEY + query)).status;
  }

  /** What a subscribe is sent of the past, until it has all, or is told why it has no more. */
  replay(
    localAddress: string,
    query: string,
  ): Promise<{ readonly updates: number; readonly error: string | undefined }> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}${LONG_KEY}${query}`, { localAddress });
    onTestFinished(() => socket.terminate());
    let updates = 0;
    return new Promise((resolve, reject) => {
      socket.on("message", (message) => {
        for (const told of String(message).split("\u001e"))
          if (told.startsWith('{"e":')) updates++;
          else if (outcomeOf(told) !== "answered") resolve({ updates, error: outcomeOf(told) });
        if (updates === MANY) resolve({ updates, error: undefined });
      });
      socket.once("close", (code) => reject(new Error(`closed with ${code}, and no reason was told`)));
      socket.once("error", reject);
    });
  }

  /** What a subscribe hears first: a frame, or the code of its close. */
  subscribe(localAddress: string, query = ""): Promise<"a frame" | string> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}${KEY}${query}`, { localAddress });
    onTestFinished(() => socket.terminate());
    return new Promise((resolve, reject) => {
      socket.once("message", () => resolve("a frame"));
      socket.once("close", (code, reason) => resolve(`${code} ${String(reason)}`));
      socket.once("error", reject);
    });
  }
}

function outcomeOf(told: string): string {
  const { error } = JSON.parse(told) as { readonly error?: { readonly code: string } };
  return error?.code ?? "answered";
}

test("[H14] an address that reads too much is told when to come back, and no other is refused for it", async () => {
  const edge = await Edge.start({ READS_PER_MINUTE: "5" });

  expect(await edge.statuses("127.200.0.1", 5)).toEqual(Array(5).fill(200));
  const refused = await edge.get("127.200.0.1");
  expect(refused.status).toBe(429);
  expect(Number(refused.retryAfter)).toBeGreaterThan(0);
  expect(JSON.parse(refused.body)).toMatchObject({ error: { code: "rate_limited", retry: true } });
  // Nothing that it says of itself helps.
  const lies = { "X-Forwarded-For": "192.0.2.1", "CF-Connecting-IP": "192.0.2.1" };
  expect(await edge.statuses("127.200.0.1", 1, lies)).toEqual([429]);

  expect(await edge.statuses("127.200.0.2", 1)).toEqual([200]);
  expect((await edge.get("127.200.0.1", {}, "/$/health")).status).toBe(200);
  expect(await edge.subscribe("127.200.0.1")).toBe("a frame");
}, 60_000);

test("[H14] a subscribe too many is closed with rate_limited, and so is one of too many from a position", async () => {
  const edge = await Edge.start({ SUBSCRIBES_PER_MINUTE: "3", REPLAYS_PER_MINUTE: "1" });

  expect(await edge.subscribe("127.200.0.1", "?from=-")).toBe("a frame");
  expect(await edge.subscribe("127.200.0.1", "?from=-")).toMatch(/^4007 rate_limited: /);
  expect(await edge.subscribe("127.200.0.1")).toBe("a frame");
  expect(await edge.subscribe("127.200.0.1")).toMatch(/^4007 rate_limited: /);
  expect(await edge.subscribe("127.200.0.2")).toBe("a frame");
}, 60_000);

test("[H14] an event stream counts as a subscribe, from a position too, and not as a read", async () => {
  const edge = await Edge.start({
    SUBSCRIBES_PER_MINUTE: "3",
    REPLAYS_PER_MINUTE: "1",
    READS_PER_MINUTE: "1",
  });

  expect(await edge.events("127.200.0.1", { "Last-Event-ID": "-" })).toContain("event: verdict");
  expect(await edge.events("127.200.0.1", { "Last-Event-ID": "-" })).toContain("rate_limited");
  expect(await edge.events("127.200.0.1")).not.toContain("rate_limited");
  expect(await edge.events("127.200.0.1")).toContain("rate_limited");
  expect(await edge.subscribe("127.200.0.1")).toMatch(/^4007 rate_limited: /);
  expect(await edge.events("127.200.0.2")).not.toContain("rate_limited");
  // None of these was a read.
  expect(await edge.statuses("127.200.0.1", 2)).toEqual([200, 429]);
}, 60_000);

test("[M10] connections of many endpoints of one address share how often they may subscribe, and another's don't", async () => {
  const edge = await Edge.start({ CONNECT_SUBSCRIBES_PER_MINUTE: "3" });

  expect(await edge.connect("127.200.0.1", [1, 2])).toEqual(["answered", "answered"]);
  expect(await edge.connect("127.200.0.1", [1, 2])).toEqual(["answered", "rate_limited"]);
  expect(await edge.connect("127.200.0.2", [1, 2])).toEqual(["answered", "answered"]);
}, 60_000);

test("[S20] sockets of an address share how many frames they say, whichever endpoints they are of, and another's don't", async () => {
  const edge = await Edge.start({ FRAMES_PER_MINUTE: "3" });
  const passes = ["unsupported", "unsupported"];

  expect(await edge.says("127.200.0.1", KEY, [1, 2])).toEqual(passes);
  expect(await edge.says("127.200.0.1", OTHER_KEY, [1, 2])).toEqual(["unsupported", "rate_limited"]);
  expect(await edge.says("127.200.0.2", KEY, [1, 2])).toEqual(passes);
  // So do those of keys without a record, which wait in rooms: with the others, or where those run by themselves.
  expect(await edge.says("127.200.0.3", path(1), [1, 2])).toEqual(passes);
  expect(await edge.says("127.200.0.3", path(2), [1, 2])).toEqual(["unsupported", "rate_limited"]);
}, 60_000);

test("[S27] an address that was sent too much of the past waits for more, and is refused if that is for long", async () => {
  const edge = await Edge.start({ REPLAYED_PER_MINUTE: "300" });

  expect(await edge.replay("127.200.0.1", ALL)).toEqual({ updates: MANY, error: undefined });
  expect(await edge.replay("127.200.0.1", ALL)).toEqual({ updates: 0, error: "rate_limited" });
  expect(await edge.list("127.200.0.1", ALL)).toBe(429);
  expect(await edge.replay("127.200.0.2", ALL)).toEqual({ updates: MANY, error: undefined });
  // Only little of it.
  expect(await edge.subscribe("127.200.0.1")).toBe("a frame");
}, 60_000);

test("[S27] what is sent of the past is spread if it is asked for at once, and nobody is refused", async () => {
  const edge = await Edge.start({ REPLAYED_PER_MINUTE: "6000" });
  const all = Array.from({ length: 6 }, () => edge.replay("127.200.0.1", ALL));
  expect(await Promise.all(all)).toEqual(Array(6).fill({ updates: MANY, error: undefined }));
}, 60_000);

test("[H14] an address that publishes too much is told when to come back, and goes on reading", async () => {
  const edge = await Edge.start({ PUBLISHES_PER_MINUTE: "2" });

  for (const status of [404, 404, 429])
    expect((await edge.post("127.200.0.1", "/nowhere/a")).status).toBe(status);
  expect((await edge.post("127.200.0.2", "/nowhere/a")).status).toBe(404);
  expect((await edge.get("127.200.0.1")).status).toBe(200);
}, 60_000);

test("unset, this machine's own addresses have no quota; set, they have", async () => {
  const open = await Edge.start({});
  expect(new Set(await open.statuses("127.0.0.1", 50))).toEqual(new Set([200]));

  const bounded = await Edge.start({ READS_PER_MINUTE: "1" });
  expect(await bounded.statuses("127.0.0.1", 2)).toEqual([200, 429]);
}, 60_000);

test.each([
  ["straight", {}],
  ["behind the gate", { CONNECTIONS_PER_ADDRESS: "100" }],
])(
  "%s, whom a named proxy asks for has the quota, and each other address its own",
  async (_, env) => {
    const edge = await Edge.start({ READS_PER_MINUTE: "2", PROXIES: "127.200.0.9", ...env });
    const of = (address: string) => ({ "X-Forwarded-For": address });

    expect(await edge.statuses("127.200.0.9", 3, of("192.0.2.1"))).toEqual([200, 200, 429]);
    expect(await edge.statuses("127.200.0.9", 1, of("192.0.2.2"))).toEqual([200]);
    expect(await edge.statuses("127.200.0.1", 3, of("192.0.2.3"))).toEqual([200, 200, 429]);
    expect(await edge.statuses("127.200.0.2", 1)).toEqual([200]);
  },
  60_000,
);
