/**
 * `npm run bench:client`: what an update costs an application that has it by the client, as a share of what it would by a bare WebSocket
 * and JSON.parse. In Node and in Chromium, in turns. CPU is that of the whole process, and of all of Chromium's.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildPackage } from "../../shared/client/package/bundles.ts";
import { readSettings } from "../../shared/node/settings.ts";
import { launchBrowser } from "../support/browser.ts";
import { ENDPOINT, Flood } from "./client/flood.ts";
import { cpuUs, descendants } from "./proc.ts";
import { ratio } from "./ratios.ts";
import { median } from "./receiving.ts";
import { fail, words } from "./turns.ts";

const command = {
  usage: "npm run bench:client -- [flags]",
  does: "Measures the CPU of an update in the client beside a bare WebSocket and JSON.parse, in Node and in Chromium, in turns.",
  settings: {
    UPDATES: { means: "How many updates of each turn.", default: "50000" },
    BYTES: { means: "About how many bytes of each are value.", default: "100" },
    ROUNDS: { means: "Turns of each.", default: "8" },
  },
  switches: {},
  flagsOnly: true,
} as const;

const HOW = ["bare", "client"] as const;
type How = (typeof HOW)[number];

/** What receives: resolves with the sum of what it read. */
interface Receiver {
  readonly name: string;
  pids(): readonly number[];
  receive(how: How): Promise<number>;
  close(): Promise<void>;
}

const package_ = join(import.meta.dirname, "../../shared/client/dist");
const MODULE = "text/javascript";
const PAGE: readonly (readonly [string, readonly [string, string | URL]])[] = [
  ["/", ["text/html", "<!doctype html><title>page</title>"]],
  ["/receive.js", [MODULE, new URL("client/receive.js", import.meta.url)]],
  ["/client/index.js", [MODULE, new URL(`file://${package_}/index.js`)]],
  ["/client/requests.js", [MODULE, new URL(`file://${package_}/requests.js`)]],
];

function inNode(url: string, updates: number): Receiver {
  const child = fork(join(import.meta.dirname, "client/node.js"));
  return {
    name: `Node ${process.versions.node}`,
    pids: () => [child.pid ?? 0],
    async receive(how) {
      child.send({ how, url, endpoint: ENDPOINT, updates });
      return Number((await once(child, "message"))[0]);
    },
    async close() {
      child.disconnect();
    },
  };
}

async function inChromium(url: string, updates: number): Promise<Receiver> {
  const browser = await launchBrowser();
  const page = await browser.newPage();
  await page.goto(url);
  return {
    name: `Chromium ${browser.version()}`,
    pids: () => descendants(process.pid, "chromium"),
    receive: (how) =>
      page.evaluate(
        async ([how, url, endpoint, updates]) => {
          const [distributary, { receive }] = await Promise.all(
            ["/client/index.js", "/receive.js"].map((path) => import(path)),
          );
          return Number(await receive(how, distributary, url, endpoint, updates));
        },
        [how, url, ENDPOINT, updates] as const,
      ),
    close: () => browser.close(),
  };
}

async function costUs(receiver: Receiver, how: How, flood: Flood, updates: number): Promise<number> {
  const used = () => receiver.pids().reduce((sum, pid) => sum + cpuUs(pid), 0);
  let before = Number.NaN;
  flood.began = () => {
    before = used();
  };
  const sum = await receiver.receive(how);
  const after = used();
  if (sum !== (updates * (updates - 1)) / 2) throw new Error(`${receiver.name} read other values, by ${how}`);
  return (after - before) / updates;
}

async function run(updates: number, bytes: number, rounds: number): Promise<void> {
  await buildPackage();
  const page = PAGE.map(
    ([path, [type, text]]) =>
      [path, [type, typeof text === "string" ? text : readFileSync(text, "utf8")]] as const,
  );
  const flood = await Flood.start(updates, bytes, new Map(page));
  const receivers = [inNode(flood.url, updates), await inChromium(flood.url, updates)];
  try {
    for (const receiver of receivers) {
      const costs: Record<How, number[]> = { bare: [], client: [] };
      // The first turn of each warms up.
      for (let round = 0; round <= rounds; round++)
        for (const how of round % 2 === 0 ? HOW : HOW.toReversed()) {
          const cost = await costUs(receiver, how, flood, updates);
          if (round > 0) costs[how].push(cost);
        }
      const compared = ratio(costs.client.map((cost, i) => cost / (costs.bare[i] ?? Number.NaN)));
      if (compared === undefined) return fail("too few rounds to compare", 1);
      process.stdout.write(
        `${receiver.name}, values of ${bytes} bytes: ${median(costs.client).toFixed(1)} µs of CPU per update by the client, ${median(costs.bare).toFixed(1)} by a bare WebSocket and JSON.parse: ${words(compared)}\n`,
      );
    }
  } finally {
    await Promise.all(receivers.map((receiver) => receiver.close()));
    flood.close();
  }
}

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const [updates = 0, bytes = 0, rounds = 0] = ["UPDATES", "BYTES", "ROUNDS"].map((name) =>
    Number(given.values[name as keyof typeof given.values]),
  );
  if (![updates, bytes, rounds].every((value) => value > 0 && Number.isSafeInteger(value)))
    fail("each flag is a whole number above 0");
  else await run(updates, bytes, rounds);
}
