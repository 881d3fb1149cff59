/** The client of applications where WebSockets don't get through, on the real runtime: by event streams, and by polls. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { Client, type ClientOptions, type ConnectionChange } from "../../shared/client/index.ts";
import { BlockingProxy } from "../support/blocking-proxy.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let proxy: BlockingProxy;
let keys = 0;
/** The machine may be busy with much else. */
const PATIENCE_MS = 120_000;

beforeAll(async () => {
  edge = await startEdge({ AUTH_ISSUERS });
  origin = await new ScriptedOrigin({ url: edge.url, name: "active" }).connect();
}, 240_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});
beforeEach(async () => {
  proxy = await BlockingProxy.open(edge.url);
  return () => proxy.close();
});

function newClient(options: ClientOptions = {}): {
  readonly client: Client;
  readonly told: ConnectionChange[];
} {
  const client = new Client(proxy.url, { backoff: { baseMs: 50, maxMs: 500 }, ...options });
  const told: ConnectionChange[] = [];
  client.on("connection", (change) => told.push(change));
  onTestFinished(() => client.close());
  return { client, told };
}

const newPath = () => `/quotes/requests-${++keys}`;

/** Follows some endpoints; what it tells of each is checked against what was written there. */
class Reading {
  readonly values = new Map<string, number[]>();
  readonly losses: string[] = [];
  recovered = 0;
  readonly #written = new Map<string, number>();

  constructor(client: Client, paths: readonly string[]) {
    for (const path of paths) {
      this.write(path);
      const subscription = client.subscribe<number>(path);
      this.values.set(path, []);
      subscription.on("update", ({ value }) => this.values.get(path)?.push(value as number));
      subscription.on("gap", ({ cause }) => this.losses.push(`${path}: ${cause}`));
      subscription.on("recovered", () => this.recovered++);
    }
  }

  write(path: string): void {
    const value = (this.#written.get(path) ?? 0) + 1;
    this.#written.set(path, value);
    origin.append(path, value);
  }

  writeAll(): void {
    for (const path of this.values.keys()) this.write(path);
  }

  /** It has all that was written, once and in order. */
  async all(): Promise<void> {
    const has = () => [...this.values].every(([path, values]) => values.at(-1) === this.#written.get(path));
    await eventually(has, () => `all of ${JSON.stringify([...this.values])}`, PATIENCE_MS);
    for (const [path, values] of this.values)
      expect([path, values]).toEqual([
        path,
        Array.from({ length: this.#written.get(path) ?? 0 }, (_, i) => i + 1),
      ]);
    expect(this.losses).toEqual([]);
  }
}

describe.each([
  ["events", false],
  ["poll", true],
] as const)("[E7] by %s", (way, holdsBack) => {
  beforeEach(() => {
    proxy.holdsBack = holdsBack;
  });

  test("[P5] [S6] nothing is lost or doubled over cuts, of many endpoints that come and go", async () => {
    const { client, told } = newClient();
    const reading = new Reading(client, Array.from({ length: 20 }, newPath));
    await reading.all();
    expect(told.some(({ state }) => state === "open")).toBe(true);
    for (let i = 0; i < 4; i++) {
      reading.writeAll();
      if (i % 2 === 0) proxy.cut();
      // Its stream is made anew for one more.
      const other = client.subscribe(newPath());
      reading.writeAll();
      await reading.all();
      other.close();
    }

    expect(reading.recovered).toBeGreaterThan(0);
    // No WebSocket was tried after the first dial.
    expect(proxy.handshakes).toBeLessThanOrEqual(2);
    if (way === "poll") expect(proxy.asked.some((line) => line.includes("wait=25"))).toBe(true);
    else expect(client.connection?.way).toBe("events");
  }, 600_000);

  test("[W1] [W3] what is published is a record, once, with its headers, and its position is told", async () => {
    const { client } = newClient();
    origin.publishes.splice(0);
    const path = newPath();
    const position = await client.publish(
      path,
      { n: 1 },
      { idempotencyKey: "k1", headers: [["trace", "x"]] },
    );
    await client.delete(path);

    expect(position).toBe("e.0:7");
    expect(
      origin.publishes.map(({ endpoint, value, headers }) => [
        endpoint,
        value && new TextDecoder().decode(value),
        headers,
      ]),
    ).toEqual([
      [path, '{"n":1}', [["trace", "x"]]],
      [path, null, []],
    ]);
  }, 600_000);

  test("[M3] a refusal of one endpoint ends that one, with the edge's reason", async () => {
    const { client } = newClient();
    const reading = new Reading(client, [newPath(), newPath()]);
    await reading.all();
    const ended: (string | undefined)[] = [];
    client.subscribe("/hidden/1").on("closed", ({ error }) => ended.push(error?.code));
    await eventually(() => ended.length > 0, "an end", PATIENCE_MS);
    reading.writeAll();
    await reading.all();

    expect(ended).toEqual(["unknown_topic"]);
  }, 600_000);
});

test("[S18] [S23] a token is renewed without a gap, and one that is refused ends with that", async () => {
  let asked = 0;
  const { client } = newClient({ token: () => tokenOf({ until: ++asked === 1 ? 20 : 600 }) });
  const reading = new Reading(client, [newPath()]);
  await reading.all();
  await eventually(() => asked === 2, "another token", PATIENCE_MS);
  reading.writeAll();
  await reading.all();
  const { client: other } = newClient({ token: "not.a.token" });
  const [error] = await new Promise<[{ code: string } | undefined]>((resolve) =>
    other.subscribe(newPath()).on("closed", (event) => resolve([event.error])),
  );

  expect(error?.code).toBe("invalid_token");
}, 600_000);

describe("which way", () => {
  const connected = (client: Client) =>
    eventually(
      () => client.connection?.state === "open" && client.connection.way,
      "a connection",
      PATIENCE_MS,
    );

  test("a WebSocket is, if one gets through, and no request is made for it", async () => {
    proxy.upgrades = "pass";
    const { client } = newClient();
    await new Reading(client, [newPath()]).all();

    expect(await connected(client)).toBe("websocket");
    expect(proxy.asked).toEqual([]);
  }, 600_000);

  test.each(["ignore", "refuse"] as const)(
    "requests are, if a proxy does this with its handshake: %s",
    async (upgrades) => {
      proxy.upgrades = upgrades;
      const { client } = newClient();
      await new Reading(client, [newPath()]).all();

      expect(await connected(client)).toBe("events");
    },
    600_000,
  );

  test("requests are, if nothing comes on WebSockets that were opened", async () => {
    proxy.upgrades = "mute";
    const { client } = newClient();
    await new Reading(client, [newPath()]).all();

    expect(await connected(client)).toBe("events");
    expect(proxy.handshakes).toBe(2);
  }, 600_000);
});

describe("why it can't connect", () => {
  test.each([
    [404, "not_an_edge", /404/],
    [502, "not_an_edge", /502.*reaches no edge/],
  ])(
    "[H9] is told in words, and tried again: a proxy that answers %d",
    async (status, code, words) => {
      proxy.status = status;
      const { client, told } = newClient();
      client.subscribe(newPath());
      const change = await eventually(
        () => told.find(({ problem }) => problem !== undefined),
        "a reason",
        PATIENCE_MS,
      );

      expect(change.problem).toMatchObject({ code, retry: true, message: expect.stringMatching(words) });
      proxy.status = undefined;
      await eventually(() => client.connection?.state === "open", "a connection", PATIENCE_MS);
      expect(client.connection?.problem).toBeUndefined();
    },
    600_000,
  );

  test("is that nothing answers, if nothing does", async () => {
    const url = proxy.url;
    await proxy.close();
    const client = new Client(url);
    onTestFinished(() => client.close());
    client.subscribe(newPath());
    const problem = await eventually(() => client.connection?.problem, "a reason", PATIENCE_MS);
    proxy = await BlockingProxy.open(edge.url);

    expect(problem).toMatchObject({
      code: "unreachable",
      retry: true,
      message: expect.stringContaining("ECONNREFUSED"),
    });
  }, 600_000);
});
