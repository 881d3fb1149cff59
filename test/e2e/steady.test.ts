/**
 * An hour of 5,000 deliveries a second: what edge and origin hold doesn't grow, and every update arrives once. Only in
 * `npm run test:long`; STEADY_MINUTES=10: shorter. RUNTIME=node: on Node.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { heldBy } from "../support/leftovers.ts";
import { figure } from "../support/long.ts";
import { descendants } from "../support/product.ts";
import { RUNTIME } from "../support/runtimes.ts";

const MINUTES = Number(process.env.STEADY_MINUTES ?? 60);
const KEYS = 50;
const SUBSCRIBERS_EACH = 5;
const BATCHES_PER_SECOND = 10;
/** Of each key, in each batch. */
const UPDATES = 2;
const PADDING = "x".repeat(480);
/** After a sixth of the time, the runtime has what it needs for such a load, and the index what it keeps. */
const WARM = MINUTES / 6;
/** More, over what each had then, isn't garbage. */
const GROWTH_MEGABYTES = 48;
/** The latest of one minute isn't compared with that of another, but the least: garbage comes and goes. */
const SAMPLES_PER_MINUTE = 12;

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: {
      t: { partitions: 6, retainRecords: 20_000, stream: { window: { updates: 100, seconds: 60 } } },
    },
    edgeEnv: { RUNTIME },
  });
});
afterAll(() => deployment?.stop());

/** Of one key; the number of each update must follow that of the one before. */
class Counting {
  readonly socket: WebSocket;
  last = 0;
  readonly wrong: string[] = [];

  constructor(url: string) {
    this.socket = new WebSocket(url, "distributary.v1", { perMessageDeflate: false });
    this.socket.on("message", (message: Buffer) => {
      for (const [, number] of message.toString("latin1").matchAll(/"n":(\d+)/g)) {
        if (Number(number) !== this.last + 1) this.wrong.push(`${number} after ${this.last}`);
        this.last = Number(number);
      }
    });
    this.socket.on("close", (code) => this.wrong.push(`closed with ${code}`));
    this.socket.on("error", (error) => this.wrong.push(String(error)));
  }
}

/** Of each part, with the processes that it started, in MB. */
function resident(): { readonly edge: number; readonly origin: number } {
  const of = (pid = 0) =>
    [pid, ...descendants(pid)].reduce((sum, one) => sum + heldBy(one).residentMegabytes, 0);
  return { edge: of(deployment.edge?.process.pid), origin: of(deployment.origin?.process.pid) };
}

test(
  `in ${MINUTES} minutes on ${RUNTIME} no memory grows, and nothing is lost`,
  async () => {
    const url = deployment.url.replace("http", "ws");
    const keys = Array.from({ length: KEYS }, (_, i) => `key-${i}`);
    const subscribers = keys.flatMap((key) =>
      Array.from({ length: SUBSCRIBERS_EACH }, () => new Counting(`${url}${pathOf("t", key)}`)),
    );
    await Promise.all(
      subscribers.map(({ socket }) => new Promise((resolve) => socket.once("message", resolve))),
    );

    const least: { edge: number; origin: number }[] = [];
    const began = performance.now();
    let written = 0;
    for (let batch = 1; performance.now() - began < MINUTES * 60_000; batch++) {
      const numbers = Array.from({ length: UPDATES }, () => ++written);
      const values = numbers.map((n) => utf8(JSON.stringify({ n, padding: PADDING })));
      deployment.produce(
        "t",
        values.flatMap((value) => keys.map((key) => ({ key: utf8(key), value }))),
      );
      if (batch % ((BATCHES_PER_SECOND * 60) / SAMPLES_PER_MINUTE) === 0) {
        const minute = Math.floor((performance.now() - began) / 60_000);
        const [now, before] = [resident(), least[minute] ?? { edge: Infinity, origin: Infinity }];
        least[minute] = {
          edge: Math.min(now.edge, before.edge),
          origin: Math.min(now.origin, before.origin),
        };
      }
      await pause(Math.max(0, began + (batch * 1_000) / BATCHES_PER_SECOND - performance.now()));
    }
    await eventually(
      () => subscribers.every(({ last }) => last === written),
      () => `all of ${written}: ${subscribers.filter(({ last }) => last !== written).length} have not`,
    );

    expect(subscribers.flatMap(({ wrong }) => wrong)).toEqual([]);
    const perSecond = Math.round((written * subscribers.length) / (MINUTES * 60));
    const told = least.filter((minute) => minute !== undefined);
    const tenths = told.filter((_, i) => i % Math.ceil(told.length / 10) === 0);
    figure(
      `${perSecond} deliveries a second for ${MINUTES} minutes on ${RUNTIME}: the edge had ${tenths.map(({ edge }) => edge).join(", ")} MB, the origin ${tenths.map(({ origin }) => origin).join(", ")}`,
    );
    const [warm, last] = [told[Math.floor(WARM)], told.at(-1)];
    expect(last?.edge).toBeLessThan((warm?.edge ?? 0) + GROWTH_MEGABYTES);
    expect(last?.origin).toBeLessThan((warm?.origin ?? 0) + GROWTH_MEGABYTES);
  },
  (MINUTES + 10) * 60_000,
);
