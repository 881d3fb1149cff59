/**
 * Clients without a WebSocket, on connections that are cut again and again, wherever that falls in what they are answered.
 * `npm run test:long`: a thousand times each.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { between, oneOf, seeded } from "../fault/random.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { figure, LONG } from "../support/long.ts";
import { RawEvents } from "../support/raw-events.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/** Of each way to subscribe. */
const CUTS = LONG ? 1_000 : 30;
const SEED = 20_261_127;
/** A connection is cut before it has brought one of these, in bytes: within the header, before all have a verdict, or later. */
const MOST_BYTES = [500, 2_000, 8_000];
const WRITE_MS = 5;

let deployment: Deployment;

beforeAll(async () => {
  const topic = { partitions: 3 };
  deployment = await Deployment.start({ topics: { stream: topic, several: topic, polls: topic } });
});
afterAll(() => deployment?.stop());

/** The keys of a topic, which are written to for as long as there are cuts to come. */
class Cutting {
  readonly proxy: TcpProxy;
  readonly paths: readonly string[];
  /** How many records each has: 1, 2, 3… */
  readonly #written = new Map<string, number>();
  readonly #random = seeded(SEED);
  readonly #topic: string;
  readonly #writing: NodeJS.Timeout;

  static async of(topic: string, keys: number): Promise<Cutting> {
    return new Cutting(topic, keys, await TcpProxy.open(Number(new URL(deployment.url).port)));
  }

  private constructor(topic: string, keys: number, proxy: TcpProxy) {
    this.proxy = proxy;
    this.#topic = topic;
    const all = Array.from({ length: keys }, (_, i) => `key-${i}`);
    this.paths = all.map((key) => pathOf(topic, key));
    for (const key of all) this.#write(key);
    this.#writing = setInterval(() => this.#write(oneOf(this.#random, all)), WRITE_MS);
    proxy.cutsAfter = () => between(this.#random, 0, oneOf(this.#random, MOST_BYTES));
  }

  get url(): string {
    return `http://127.0.0.1:${this.proxy.port}`;
  }

  #write(key: string): void {
    const path = pathOf(this.#topic, key);
    const n = (this.#written.get(path) ?? 0) + 1;
    this.#written.set(path, n);
    const value = JSON.stringify({ n, beside: "x".repeat(between(this.#random, 0, 300)) });
    deployment.produce(this.#topic, [{ key: utf8(key), value: utf8(value) }]);
  }

  /** Whether there is something left to come: cuts, or what was written before the last of them. */
  goesOn(got: ReadonlyMap<string, readonly number[]>): boolean {
    if (this.proxy.cuts < CUTS) return true;
    this.proxy.cutsAfter = undefined;
    clearInterval(this.#writing);
    return this.paths.some((path) => (got.get(path)?.at(-1) ?? 0) < (this.#written.get(path) ?? 0));
  }

  get due(): ReadonlyMap<string, readonly number[]> {
    return new Map(
      this.paths.map((path) => [path, Array.from({ length: this.#written.get(path) ?? 0 }, (_, i) => i + 1)]),
    );
  }

  /** Nobody counts any more that was cut off. */
  async end(): Promise<void> {
    clearInterval(this.#writing);
    await this.proxy.close();
    for (const path of this.paths)
      await eventually(async () => {
        const answer = await fetch(`${deployment.url}${path}?occupancy`);
        return ((await answer.json()) as { readonly subscribers: number }).subscribers === 0;
      }, `nobody is left at ${path}`);
  }
}

interface Page {
  readonly position: string;
  readonly recovered: boolean;
  readonly updates: readonly { readonly v: unknown }[];
}

const numberIn = (value: unknown) => (value as { readonly n: number }).n;

/** Follows a stream, and comes back after each cut by its `id`. */
async function streamed(cutting: Cutting, path: string): Promise<Map<string, number[]>> {
  const got = new Map(cutting.paths.map((one): [string, number[]] => [one, []]));
  let lastId = cutting.paths.map(() => "-").join(";");
  while (cutting.goesOn(got)) {
    const events = new RawEvents(`${cutting.url}${path}`, { "Last-Event-ID": lastId });
    let taken = 0;
    const take = () => {
      const updates = events.updates.slice(taken);
      taken += updates.length;
      for (const { e, v } of updates) got.get(String(e))?.push(numberIn(v));
      return events.ended || !cutting.goesOn(got);
    };
    await events.until(take, "a cut, or all", 60_000);
    events.cut();
    expect(events.violations).toEqual([]);
    expect(events.of("verdict").filter(({ recovered }) => recovered !== true)).toEqual([]);
    expect(events.events.filter(({ type }) => !["verdict", "message", "wait"].includes(type))).toEqual([]);
    lastId = events.lastId;
  }
  return got;
}

test(`[E3] [E6] an event stream comes back through ${CUTS} cuts, misses nothing and gets nothing twice (seed ${SEED})`, async () => {
  const cutting = await Cutting.of("stream", 1);
  const got = await streamed(cutting, cutting.paths[0] ?? "");
  await cutting.end();

  expect(got).toEqual(cutting.due);
  figure(`${cutting.proxy.cuts} cuts of an event stream: ${counted(got)} updates, none lost or doubled`);
}, 900_000);

test(`[E3] [E6] [E7] so do several endpoints on one (seed ${SEED})`, async () => {
  const cutting = await Cutting.of("several", 8);
  const query = cutting.paths.map((path) => `sub=${encodeURIComponent(path)}`).join("&");
  const got = await streamed(cutting, `/$/connect?${query}`);
  await cutting.end();

  expect(got).toEqual(cutting.due);
  figure(
    `${cutting.proxy.cuts} cuts of an event stream of ${cutting.paths.length} endpoints: ${counted(got)} updates, none lost or doubled`,
  );
}, 900_000);

test(`[H12] [H13] [E6] lists that wait miss nothing through ${CUTS} cuts and repeat nothing, and states never go back (seed ${SEED})`, async () => {
  const cutting = await Cutting.of("polls", 1);
  const [path = ""] = cutting.paths;

  /** What was cut off is asked again. */
  async function insist<T>(
    query: string,
    headers: Record<string, string>,
    read: (answer: Response) => Promise<T>,
  ): Promise<T> {
    for (;;)
      try {
        const answer = await fetch(`${cutting.url}${path}${query}`, {
          headers: { Connection: "close", Prefer: "wait=1", ...headers },
        });
        return await read(answer);
      } catch {
        // It was cut.
      }
  }
  const isLeft = (values: readonly number[]) => cutting.goesOn(new Map([[path, values]]));
  async function listed(): Promise<number[]> {
    const values: number[] = [];
    for (let position = "-"; isLeft(values); ) {
      const page = await insist(`?from=${position}`, {}, (answer) => answer.json() as Promise<Page>);
      expect(page.recovered).toBe(true);
      values.push(...page.updates.map(({ v }) => numberIn(v)));
      ({ position } = page);
    }
    return values;
  }
  async function polled(): Promise<number[]> {
    const values: number[] = [];
    for (let tag = '"-"'; isLeft(values); ) {
      const { answer, text } = await insist("", { "If-None-Match": tag }, async (answer) => ({
        answer,
        text: await answer.text(),
      }));
      if (answer.status === 304) continue;
      expect(answer.status).toBe(200);
      tag = String(answer.headers.get("ETag"));
      values.push(numberIn(JSON.parse(text)));
    }
    return values;
  }
  const [list, states] = await Promise.all([listed(), polled()]);
  await cutting.end();

  expect(new Map([[path, list]])).toEqual(cutting.due);
  expect(states).toEqual([...new Set(states)].sort((a, b) => a - b));
  expect(states.at(-1)).toBe(list.at(-1));
  figure(`${cutting.proxy.cuts} cuts of long-polls: ${list.length} updates in lists, none lost or doubled`);
}, 900_000);

function counted(got: ReadonlyMap<string, readonly number[]>): number {
  return [...got.values()].reduce((sum, { length }) => sum + length, 0);
}
