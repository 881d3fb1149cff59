/**
 * `npm run bench:hot`: what a delivery of an endpoint with many subscribers costs if they are spread over relays of that endpoint, or
 * over relays of many endpoints, as a share of what it does in the endpoint's one object; and what it costs a `ws` server. The
 * same number of clients, in turns, so that what else the machine does befalls all.
 */
import { readSettings } from "../../shared/node/settings.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { checkDescriptors } from "./descriptors.ts";
import { FedFloor } from "./floor/feed.ts";
import { interruptOnSignal, isInterrupted } from "./load/rpc.ts";
import { descendants, openFilesLimit } from "./proc.ts";
import { ratio } from "./ratios.ts";
import { costOf, type Dial, median, Receiving } from "./receiving.ts";
import { OWN_OBJECTS } from "./systems.ts";
import { fail, say, words } from "./turns.ts";

const command = {
  usage: "npm run bench:hot -- [flags]",
  does: "Measures workerd's CPU per delivery of one endpoint with many subscribers in one object, and spread over several, in turns.",
  settings: {
    SUBSCRIBERS: { means: "How many subscribers the endpoint has.", default: "5000" },
    OBJECTS: { means: "Over how many objects they are spread.", default: "5" },
    RATE: { means: "Updates in a second.", default: "2" },
    ROUNDS: { means: "Turns of each.", default: "5" },
  },
  switches: {},
  flagsOnly: true,
} as const;

interface Load {
  readonly subscribers: number;
  readonly objects: number;
  readonly rate: number;
  readonly rounds: number;
}

/** Who holds them. */
interface System {
  readonly pid: number;
  dials(key: string): readonly Dial[];
  produce(key: string, text: string): void;
}

const HOW = {
  direct: "in the endpoint's object",
  spread: "over that and relays of it",
  relays: "over relays of many endpoints",
  ws: "by a ws server in Node",
} as const;
type How = keyof typeof HOW;
const ORDER = Object.keys(HOW) as How[];

const TOPIC = "t";

async function run(load: Load): Promise<void> {
  interruptOnSignal();
  const { subscribers, objects, rate, rounds } = load;
  const full = Math.ceil(subscribers / objects);
  const topics = { [TOPIC]: { partitions: 4 } };
  const start = (edgeEnv: Record<string, string>) =>
    Deployment.start({ topics, edgeEnv: { ...OWN_OBJECTS, ...edgeEnv } });
  const [one, several, floor] = await Promise.all([
    start({ SUBSCRIBERS_PER_OBJECT: "32000", RELAYS: String(objects) }),
    start({ SUBSCRIBERS_PER_OBJECT: String(full) }),
    FedFloor.start(),
  ]);
  try {
    const systems: Record<How, System> = {
      direct: productOf(one, subscribers, "own"),
      spread: productOf(several, subscribers, "own"),
      relays: productOf(one, subscribers, "shared"),
      ws: {
        pid: floor.pid,
        dials: (key) => dialsOf(floor.url, key, subscribers, "own"),
        produce: (key, text) => floor.produce([pathOf(TOPIC, key)], text),
      },
    };
    const costs: Record<How, number[]> = { direct: [], spread: [], relays: [], ws: [] };
    for (let round = 0; round < rounds; round++)
      // Nobody is always the first.
      for (const how of round % 2 === 0 ? ORDER : ORDER.toReversed()) {
        const { pid, dials, produce } = systems[how];
        // Each time another, so that nothing of the turn before is remembered.
        const key = `${how}-${round}`;
        const receiving = new Receiving();
        say(`${subscribers} subscribers ${HOW[how]}`);
        await receiving.dialAll(dials(key), subscribers);
        const text = () => `{"at":${Date.now()},"pad":"${"x".repeat(100)}"}`;
        costs[how].push(await costOf(receiving, pid, () => produce(key, text()), rate));
        receiving.cut();
      }
    const lines = ORDER.map((how) => {
      const shares = costs[how].map((cost, i) => cost / (costs.direct[i] ?? Number.NaN));
      const compared = how === "direct" ? undefined : ratio(shares);
      const beside = compared === undefined ? "" : `, ${words(compared)} of the first`;
      return `  ${HOW[how]}: ${median(costs[how]).toFixed(1)} µs${beside}\n`;
    });
    process.stdout.write(
      `${subscribers} subscribers of one endpoint, ${objects} objects, ${rate} updates/s; CPU of the server for each delivery:\n${lines.join("")}`,
    );
  } finally {
    await Promise.all([one.stop(), several.stop(), floor.stop()]);
  }
}

function productOf(deployment: Deployment, subscribers: number, sockets: "own" | "shared"): System {
  const [pid] = descendants(deployment.edge?.process.pid ?? 0, "workerd");
  if (pid === undefined) throw new Error("no workerd");
  return {
    pid,
    dials: (key) => dialsOf(deployment.url, key, subscribers, sockets),
    produce: (key, text) => deployment.produce(TOPIC, [{ key: utf8(key), value: utf8(text) }]),
  };
}

function dialsOf(url: string, key: string, subscribers: number, sockets: "own" | "shared"): readonly Dial[] {
  const base = url.replace("http", "ws");
  const path = pathOf(TOPIC, key);
  const says = [JSON.stringify({ subs: [{ id: 1, sub: path }] })];
  return Array.from({ length: subscribers }, (_, i) =>
    sockets === "own"
      ? { url: new URL(base + path), says: [] }
      : { url: new URL(`${base}/$/connect?client=c${i}`), says },
  );
}

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const { SUBSCRIBERS, OBJECTS, RATE, ROUNDS } = given.values;
  const load = {
    subscribers: Number(SUBSCRIBERS),
    objects: Number(OBJECTS),
    rate: Number(RATE),
    rounds: Number(ROUNDS),
  };
  const { problems } = checkDescriptors({
    clients: load.subscribers,
    processes: 1,
    server: "workerd",
    workers: 1,
    publishers: 0,
    limit: openFilesLimit(),
  });
  if (!Object.values(load).every((value) => value > 0 && Number.isFinite(value)))
    fail("each flag is a number above 0");
  else if (problems.length > 0) fail(problems.join("\n"));
  else {
    try {
      await run(load);
    } catch (error) {
      if (!isInterrupted()) throw error;
    }
  }
}
