/**
 * `npm run bench:connect`: what a delivery costs workerd on connections that follow many endpoints each, as a share of what it
 * does on a socket for each endpoint, and what it costs a `ws` server. The same clients follow the same endpoints, in turns.
 */
import { readSettings } from "../../shared/node/settings.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { FedFloor } from "./floor/feed.ts";
import { interruptOnSignal, isInterrupted } from "./load/rpc.ts";
import { descendants } from "./proc.ts";
import { ratio } from "./ratios.ts";
import { costOf, median, Receiving } from "./receiving.ts";
import { OWN_OBJECTS } from "./systems.ts";
import { fail, words } from "./turns.ts";

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

interface Load {
  readonly clients: number;
  readonly endpoints: number;
  readonly rate: number;
  readonly rounds: number;
}

const HOW = ["many", "each", "ws"] as const;
type How = (typeof HOW)[number];

async function run({ clients, endpoints, rate, rounds }: Load): Promise<void> {
  interruptOnSignal();
  const deployment = await Deployment.start({
    topics: { t: { partitions: 4 } },
    edgeEnv: { ...OWN_OBJECTS, SUBSCRIPTIONS_PER_CONNECTION: String(endpoints) },
  });
  const floor = await FedFloor.start();
  try {
    const keys = Array.from({ length: endpoints }, (_, i) => `key-${i}`);
    const paths = keys.map((key) => pathOf("t", key));
    const [workerd] = descendants(deployment.edge?.process.pid ?? 0, "workerd");
    if (workerd === undefined) return fail("no workerd", 1);
    const value = () => `{"at":${Date.now()},"pad":"${"x".repeat(100)}"}`;
    const produce = () =>
      deployment.produce(
        "t",
        keys.map((key) => ({ key: utf8(key), value: utf8(value()) })),
      );
    const feed = () => floor.produce(paths, value());
    const shared = (url: string) =>
      Array.from({ length: clients }, (_, i) => ({
        url: new URL(`${url.replace("http", "ws")}/$/connect?client=c${i}`),
        says: listsOf(paths),
      }));
    const own = Array.from({ length: clients }, () =>
      paths.map((path) => ({ url: new URL(deployment.url.replace("http", "ws") + path), says: [] })),
    ).flat();
    const systems = {
      many: { pid: workerd, dials: shared(deployment.url), produce },
      each: { pid: workerd, dials: own, produce },
      ws: { pid: floor.pid, dials: shared(floor.url), produce: feed },
    };
    const costs: Record<How, number[]> = { many: [], each: [], ws: [] };
    for (let round = 0; round < rounds; round++)
      for (const how of HOW) {
        const { pid, dials, produce } = systems[how];
        const receiving = new Receiving();
        await receiving.dialAll(dials, clients * endpoints);
        costs[how].push(await costOf(receiving, pid, produce, rate));
        receiving.cut();
      }
    const shares = costs.many.map((cost, i) => cost / (costs.each[i] ?? Number.NaN));
    const compared = ratio(shares);
    if (compared === undefined) return fail("too few rounds to compare", 1);
    process.stdout.write(
      `${clients} clients of ${endpoints} endpoints at ${rate}/s: ${median(costs.many).toFixed(1)} µs of workerd's CPU per delivery on one connection each, ${median(costs.each).toFixed(1)} on a socket for each endpoint: ${words(compared)}; ${median(costs.ws).toFixed(1)} of a ws server's that sends what comes together in one message\n`,
    );
  } finally {
    await Promise.all([deployment.stop(), floor.stop()]);
  }
}

function listsOf(paths: readonly string[]): string[] {
  const subs = paths.map((sub, i) => ({ id: i + 1, sub }));
  return Array.from({ length: Math.ceil(subs.length / 100) }, (_, i) =>
    JSON.stringify({ subs: subs.slice(i * 100, i * 100 + 100) }),
  );
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
  if (!Object.values(load).every((value) => value > 0 && Number.isFinite(value)))
    fail("each flag is a number above 0");
  else {
    try {
      await run(load);
    } catch (error) {
      if (!isInterrupted()) throw error;
    }
  }
}
