/** The command `estimate`: what a month on Cloudflare would cost, how each dollar arises, and which limits come near. */
import { COMMANDS, typed } from "../../shared/node/commands.ts";
import { readSettings } from "../../shared/node/settings.ts";
import { readPlan } from "./estimate-plan.ts";
import { reportOn, textOf } from "./estimate-report.ts";
import { SHAPES } from "./shapes/layouts.ts";
import { POPULARITIES } from "./shapes/popularity.ts";

const command = {
  usage: typed("estimate", "[flags]"),
  does: COMMANDS.estimate.does,
  settings: {
    ENDPOINTS: { means: "Keys that exist.", default: "10000" },
    WATCHED: { means: "Which share of them has subscribers, 0 to 1.", default: "1" },
    RATE: { means: "Updates of each endpoint in a second.", default: "1" },
    SUBSCRIBERS: { means: "Of each endpoint that is watched, on average.", default: "100" },
    EACH: { means: "Endpoints on one connection: so many of these subscribers are one.", default: "1" },
    POPULARITY: {
      means: `How subscribers spread over endpoints: ${POPULARITIES.join(", ")}.`,
      default: "even",
    },
    REGIONS: { means: "In how many regions subscribers are, 1 to 9.", default: "1" },
    SHAPE: { means: `Which objects hold them: ${Object.keys(SHAPES).join(", ")}.`, default: "direct" },
    GATHER_MS: {
      means: "For how long a shard gathers what goes to an object of many endpoints.",
      default: "25",
    },
    CARRIERS: {
      means:
        "What goes to such an object: messages of a link, or calls within sessions, which do not exist yet.",
      default: "messages",
    },
    STREAMS: { means: "Which share of the connections are event streams, 0 to 1.", default: "0" },
    POLLS: {
      means: "Which share of the subscribers GETs the next state and waits for it, 0 to 1.",
      default: "0",
    },
    RECONNECTS: { means: "Of each connection in a day.", default: "1" },
    RESTARTS: {
      means: "How often all objects begin anew in a month: deploys, and updates of the runtime.",
      default: "13",
    },
    GETS: { means: "GET requests of endpoints in a second.", default: "0" },
    CACHED: {
      means: "Which share of these is answered from the cache of the place where they arrive, 0 to 1.",
      default: "0",
    },
    OCCUPANCY: { means: "Questions how many subscribers an endpoint has, in a second.", default: "0" },
    PUBLISHES: {
      means: "Publishes in a second, over HTTP; what they update is part of RATE.",
      default: "0",
    },
    MESSAGE_BYTES: { means: "Of an update as subscribers get it.", default: "250" },
    PING_SECONDS: {
      means: "Of silence after which a subscriber sends a ping; 0: it sends none.",
      default: "15",
    },
    SHARDS: { means: "SHARDS, 1 to 64.", default: "4" },
    BATCH_MS: {
      means:
        "For how long updates are batched before they leave the origin together: its own 2 ms, and what the log adds.",
      default: "2",
    },
    REVOCATIONS: {
      means: "Revocations in a day; if there are any, all subscribers are taken to have tokens.",
      default: "0",
    },
  },
  switches: { json: "Prints JSON." },
  flagsOnly: true,
} as const;

// Flags only: a plan is no configuration of a machine.
const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const read = readPlan(given.values);
  if (!read.ok) fail(...read.problems);
  else {
    const report = reportOn(read.plan);
    process.stdout.write(given.switches.json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report));
  }
}

function fail(...problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = 2;
}
