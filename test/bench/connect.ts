/**
 * `npm run bench:connect`: what a delivery costs workerd on connections that follow many endpoints each, as a share of what it
 * does on a socket for each endpoint. The same clients follow the same endpoints of one deployment, in turns.
 */
import { readSettings } from "../../shared/node/settings.ts";
import { SUBSCRIBER_PROTOCOL } from "../../shared/protocol/version.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { interruptOnSignal } from "./load/rpc.ts";
import { LeanWebSocket } from "./load/websocket.ts";
import { cpuUs, descendants } from "./proc.ts";
import { ratio } from "./ratios.ts";
import { fail, say, words } from "./turns.ts";

const command = {
  usage: "npm run bench:connect -- [flags]",
  does: "Measures workerd's CPU per delivery of connections of many endpoints beside one socket for each, in turns.",
  settings: {
    CLIENTS: { means: "How many clients.", default: "10" },
    ENDPOINTS: { means: "How many endpoints each of them follows.", default: "200" },
    RATE: { means: "Updates of each endpoint in a second.", default: "2" },
    ROUNDS: { means: "Turns of each.", default: "5" },
  },
  switches: {},
  flagsOnly: true,
} as const;

/** Measured in each turn. */
const SECONDS = 5;
const TICK_MS = 100;
const SEPARATOR = 0x1e;

interface Load {
  readonly clients: number;
  readonly endpoints: number;
  readonly rate: number;
  readonly rounds: number;
}

/** What came on some sockets. */
class Receiving {
  updates = 0;
  messages = 0;
  readonly #sockets: LeanWebSocket[] = [];

  dial(url: URL, says: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket: LeanWebSocket = new LeanWebSocket(url, SUBSCRIBER_PROTOCOL, {
        open: () => {
          for (const text of says) socket.send(text);
          resolve();
        },
        message: (bytes) => {
          this.messages++;
          this.updates++;
          for (let at = bytes.indexOf(SEPARATOR); at >= 0; at = bytes.indexOf(SEPARATOR, at + 1))
            this.updates++;
        },
        closed: (_, problem) => reject(new Error(problem)),
      });
      this.#sockets.push(socket);
    });
  }

  cut(): void {
    for (const socket of this.#sockets.splice(0)) socket.cut();
  }
}

async function run({ clients, endpoints, rate, rounds }: Load): Promise<void> {
  interruptOnSignal();
  const deployment = await Deployment.start({
    topics: { t: { partitions: 4 } },
    edgeEnv: { SUBSCRIPTIONS_PER_CONNECTION: String(endpoints) },
  });
  try {
    const keys = Array.from({ length: endpoints }, (_, i) => `key-${i}`);
    const [workerd] = descendants(deployment.edge?.process.pid ?? 0, "workerd");
    if (workerd === undefined) return fail("no workerd", 1);
    const base = deployment.url.replace("http", "ws");
    const dials = {
      many: (one: Receiving) =>
        Array.from({ length: clients }, (_, i) =>
          one.dial(new URL(`${base}/$/connect?client=c${i}`), listsOf(keys)),
        ),
      each: (one: Receiving) =>
        Array.from({ length: clients }, () =>
          keys.map((key) => one.dial(new URL(base + pathOf("t", key)), [])),
        ).flat(),
    };
    const costs: Record<keyof typeof dials, number[]> = { many: [], each: [] };
    for (let round = 0; round < rounds; round++)
      for (const how of ["many", "each"] as const) {
        const receiving = new Receiving();
        await Promise.all(dials[how](receiving));
        // A verdict each, at least.
        await eventually(() => receiving.updates >= clients * endpoints, "all verdicts", 120_000);
        costs[how].push(await turn(deployment, receiving, workerd, keys, rate));
        receiving.cut();
      }
    const shares = costs.many.map((cost, i) => cost / (costs.each[i] ?? Number.NaN));
    const compared = ratio(shares);
    if (compared === undefined) return fail("too few rounds to compare", 1);
    process.stdout.write(
      `${clients} clients of ${endpoints} endpoints at ${rate}/s: ${median(costs.many).toFixed(1)} µs of workerd's CPU per delivery on one connection each, ${median(costs.each).toFixed(1)} on a socket for each endpoint: ${words(compared)}\n`,
    );
  } finally {
    await deployment.stop();
  }
}

/** Microseconds of workerd for each update that arrived. */
async function turn(
  deployment: Deployment,
  receiving: Receiving,
  workerd: number,
  keys: readonly string[],
  rate: number,
): Promise<number> {
  let due = 0;
  const produce = () => {
    due += (rate * TICK_MS) / 1_000;
    for (; due >= 1; due--)
      deployment.produce(
        "t",
        keys.map((key) => ({
          key: utf8(key),
          value: utf8(`{"at":${Date.now()},"pad":"${"x".repeat(100)}"}`),
        })),
      );
  };
  const timer = setInterval(produce, TICK_MS);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const [updates, messages, cpu] = [receiving.updates, receiving.messages, cpuUs(workerd)];
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000));
  const delivered = receiving.updates - updates;
  const cost = (cpuUs(workerd) - cpu) / delivered;
  clearInterval(timer);
  say(`${delivered} updates in ${receiving.messages - messages} messages, ${cost.toFixed(1)} µs each`);
  return cost;
}

function listsOf(keys: readonly string[]): string[] {
  const subs = keys.map((key, i) => ({ id: i + 1, sub: pathOf("t", key) }));
  return Array.from({ length: Math.ceil(subs.length / 100) }, (_, i) =>
    JSON.stringify({ subs: subs.slice(i * 100, i * 100 + 100) }),
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const { CLIENTS, ENDPOINTS, RATE, ROUNDS } = given.values;
  const load = {
    clients: Number(CLIENTS),
    endpoints: Number(ENDPOINTS),
    rate: Number(RATE),
    rounds: Number(ROUNDS),
  };
  if (Object.values(load).every((value) => value > 0 && Number.isFinite(value))) await run(load);
  else fail("each flag is a number above 0");
}
