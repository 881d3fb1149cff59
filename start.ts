/**
 * The command `start`: the whole product on one machine. Checks what can be checked; starts the edge, the origin and, unless Kafka is
 * read, a feed, each as a process of its own; and says when they are ready. It ends them all together: when it is asked to, or
 * when one of them ends by itself. If this process is killed they end, too, since each watches its IPC channel.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { accessProblems } from "./edge/access/settings.ts";
import { PUBLISH_SETTING } from "./edge/http/publish-request.ts";
import { checkPort, checkStreams } from "./edge/local/checks.ts";
import { readTopics, streamsOf } from "./edge/local/exposure.ts";
import { holdFolder } from "./edge/local/folder.ts";
import { examplePath, greeting } from "./edge/local/greeting.ts";
import { localIssuer } from "./edge/local/issuer.ts";
import { onStopRequest } from "./edge/local/lifeline.ts";
import { Part } from "./edge/local/part.ts";
import { progressLine } from "./edge/local/progress.ts";
import { localSecret } from "./edge/local/publish-secret.ts";
import { checkRuntime, checkWorkers, RUNTIME_SETTINGS } from "./edge/local/runtimes.ts";
import { INSIGHT_SETTINGS } from "./edge/local/serve-settings.ts";
import { TIME_LIMITS } from "./edge/local/time-limits.ts";
import { KAFKA_SETTINGS } from "./origin/kafka/config.ts";
import { readConfig } from "./origin/settings/config.ts";
import { COMMANDS, type CommandEntry, typed } from "./shared/node/commands.ts";
import { home, STREAMS_OR_EXAMPLE, scriptFile } from "./shared/node/installation.ts";
import { readSettings } from "./shared/node/settings.ts";

/** In the data folder: the list of what this run exposes, if it isn't STREAMS as it stands. */
const EXPOSED = "exposed.json";

/** Of the token in the lines to paste: a day. */
const PASTED_SECONDS = 24 * 3_600;

/** Topics that the feed writes to. */
const FED = ["flights", "earthquakes"];

const command = {
  usage: typed("start", "[flags]"),
  does: COMMANDS.start.does,
  settings: {
    PORT: { means: "Where the edge listens.", default: "8787" },
    HOST: { means: "The address that it listens on.", default: "127.0.0.1" },
    ...RUNTIME_SETTINGS,
    DATA_DIR: { means: "Folder of everything that is stored.", default: "data" },
    STREAMS: { means: "The list of what is exposed.", default: STREAMS_OR_EXAMPLE },
    AUTH_ISSUERS: {
      means: `Who may issue tokens: a JSON list, see docs/access.md. Without it, an issuer of this run's own: ${typed("token")}.`,
      secret: true,
    },
    WEB_ORIGINS: {
      means:
        "Origins of web pages that are answered, as https://app.example.com, with commas between. Unset: all, without cookies.",
    },
    AUTH_COOKIE: { means: "The name of a cookie that may hold a token." },
    PUBLISH_SECRET: {
      means:
        "What published records are marked with, as all origins of the same topics have it. Without it, one of this data folder's own.",
      secret: true,
    },
    PUBLISH_ID: {
      means: "What the transactional ids begin with that writing to Kafka takes.",
      default: "distributary",
    },
    ...PUBLISH_SETTING,
    ...INSIGHT_SETTINGS,
    LOG_LEVEL: {
      means: "What the origin logs: error, warn, info, debug. Default: error; with Kafka, warn.",
    },
    ...KAFKA_SETTINGS,
    KAFKA_BROKERS: {
      means: "Kafka to read: host:port[,host:port…]. Without it an embedded log is read, and fed.",
      flag: "kafka",
    },
    KAFKA_TOPICS: {
      means:
        "A topic of Kafka to expose, or a pattern as 'orders.*', instead of those in the list; can be given several times.",
      flag: "topic",
      repeated: true,
    },
  },
  switches: {
    private: "Exposes nothing without a token, and prints lines that carry one.",
    "no-feed": `Leaves out the example data in ${FED.join(" and ")}.`,
    verbose: "Shows what the parts write to stdout, too.",
  },
} as const;

const parts: Part[] = [];
let stopping: Promise<void> | undefined;

const given = readSettings(command, process.env, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(2, given.problem);
else {
  onStopRequest(() => void stop(0));
  await start(given.values, given.switches);
}

async function start(
  values: Extract<typeof given, { kind: "given" }>["values"],
  switches: Extract<typeof given, { kind: "given" }>["switches"],
): Promise<void> {
  const dataDir = resolve(values.DATA_DIR);
  const kafka = values.KAFKA_BROKERS !== undefined;
  const listFile = resolve(values.STREAMS);
  const list = checkStreams(listFile);
  const named = readTopics(values.KAFKA_TOPICS);
  const port = await checkPort(values.HOST, values.PORT);
  const folder = holdFolder(dataDir);
  const issuer = folder.ok && values.AUTH_ISSUERS === undefined ? localIssuer(dataDir) : undefined;
  const secret = folder.ok && values.PUBLISH_SECRET === undefined ? localSecret(dataDir) : undefined;
  const made = [issuer, secret].filter((check) => check !== undefined);
  const runtime = checkRuntime(values.RUNTIME);
  const workers = checkWorkers(values.WORKERS, values.RUNTIME);
  const checks = [runtime, workers, list, named, port, folder, ...made];
  const problems = checks.flatMap((check) => (check.ok ? [] : [check.problem]));
  const own = issuer?.ok ? issuer.value : undefined;
  const { WEB_ORIGINS, AUTH_COOKIE } = values;
  const AUTH_ISSUERS = values.AUTH_ISSUERS ?? own?.settings;
  problems.push(...(await accessProblems({ AUTH_ISSUERS, WEB_ORIGINS, AUTH_COOKIE })));
  if (values.KAFKA_TOPICS !== undefined && !kafka)
    problems.push("KAFKA_TOPICS: --topic needs a Kafka to read: --kafka HOST:PORT");
  if (problems.length > 0 || !list.ok || !named.ok || !port.ok) return fail(1, ...problems);
  const topics = named.value ?? list.value.all.map(({ topic }) => topic);
  const asListed = named.value === undefined && !switches.private;
  const streamsFile = asListed ? listFile : join(dataDir, EXPOSED);
  if (!asListed) writeFileSync(streamsFile, streamsOf(topics, list.value, switches.private));
  const exposed = checkStreams(streamsFile);
  if (!exposed.ok) return fail(1, exposed.problem);
  const rights = { subject: "developer", subscribe: ["/*"], publish: ["/*"], discover: ["/*"], admin: false };
  const token = await own?.mint({ ...rights, seconds: PASTED_SECONDS }, new Date());

  const url = `http://${reachable(values.HOST)}:${port.value}`;
  // For this run only, and never on disk: edge and origin start and end together.
  const key = `local:local:${randomBytes(32).toString("base64url")}`;
  const env = {
    ...process.env,
    ...values,
    LOG_LEVEL: values.LOG_LEVEL ?? (kafka ? "warn" : "error"),
    DATA_DIR: dataDir,
    STREAMS: streamsFile,
    AUTH_ISSUERS,
    EDGE_URL: url,
    UPLINK_KEYS: key,
    UPLINK_KEY: key,
    UPLINK_KEY_FILE: "",
    EDGES_FILE: "",
    PUBLISH_SECRET: values.PUBLISH_SECRET ?? (secret?.ok ? secret.value : ""),
  };
  const readFile = (path: string) => readFileSync(path, "utf8");
  const origin = readConfig({ env, args: [], root: home, readFile });
  if (origin.kind === "problems") return fail(1, ...origin.problems);
  const begin = (name: "edge" | "origin" | "feed", ...args: readonly string[]) => {
    const { script, nodeFlags = [] }: CommandEntry = COMMANDS[name];
    const { verbose } = switches;
    const part = new Part({ name, script: scriptFile(script), nodeFlags, args, env, verbose });
    parts.push(part);
    void part.ended.then((how) => stopping ?? fail(1, `the ${name} ${how}; stopping everything`));
    return part;
  };

  const feed = !kafka && !switches["no-feed"] && topics.some((topic) => FED.includes(topic));
  if (feed) begin("feed", "--data-dir", dataDir);
  await begin("edge").spoke;
  if (stopping) return;
  let deadline = performance.now() + TIME_LIMITS.readyMs;
  const reading = begin("origin");
  // Much to read is no reason to give up.
  reading.onMessage(() => {
    if (deadline < Number.POSITIVE_INFINITY) deadline = performance.now() + TIME_LIMITS.readyMs;
  });
  showProgress(reading, env.LOG_LEVEL, kafka);

  const audienceOf = (topic: string) => exposed.value.get(topic)?.subscribe;
  const isReadable = (topic: string) =>
    audienceOf(topic) === "public" || (token !== undefined && audienceOf(topic) === "token");
  const fed = feed && topics.includes("flights") && isReadable("flights");
  const example = fed ? examplePath({ topics, feed }) : undefined;
  while (!(await answers(`${url}/$/health`)) || (example && !(await answers(url + example, token)))) {
    if (stopping) return;
    if (performance.now() > deadline) {
      const late = `not ready within ${TIME_LIMITS.readyMs / 1_000} s; --verbose and --log-level info tell more`;
      if (!kafka) return fail(1, late);
      // A Kafka may be down, or hold more than can be read so soon: neither is a reason to give up.
      process.stderr.write(`${late}\n`);
      deadline = Number.POSITIVE_INFINITY;
    }
    await new Promise((resolve) => setTimeout(resolve, TIME_LIMITS.readyLookMs));
  }
  const produceFlags = [
    ...(dataDir === resolve("data") ? [] : ["--data-dir", dataDir]),
    ...(listFile === STREAMS_OR_EXAMPLE ? [] : ["--streams", listFile]),
  ];
  const shown = kafka ? topics : [examplePath({ topics, feed })?.split("/")[1] ?? ""];
  const needed = shown.some((topic) => audienceOf(topic) === "token");
  const open = topics.filter((topic) => exposed.value.get(topic)?.publish === "public");
  const running = {
    url,
    topics,
    feed,
    produceFlags,
    open,
    kafka,
    token: needed ? (token ?? "$TOKEN") : undefined,
  };
  if (!stopping) process.stdout.write(greeting(running));
}

/** Unless the origin's own log says it, too. The embedded log is mostly read at once. */
function showProgress(origin: Part, logLevel: string, kafka: boolean): void {
  if (["info", "debug"].includes(logLevel)) return;
  let late = kafka;
  setTimeout(() => {
    late = true;
  }, TIME_LIMITS.progressQuietMs).unref();
  origin.onMessage((message) => {
    const line = progressLine(message);
    if (line !== undefined && late) process.stderr.write(`${line}\n`);
  });
}

/** The address in a URL; an edge that listens everywhere is reached on the loopback. */
function reachable(host: string): string {
  const address = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return address.includes(":") ? `[${address}]` : address;
}

async function answers(url: string, token?: string): Promise<boolean> {
  try {
    const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const response = await fetch(url, { headers });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

function fail(code: 1 | 2, ...problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  void stop(code);
}

/** Ends those who write first, then the edge, and after a while whatever is left. */
function stop(code: number): Promise<void> {
  stopping ??= (async () => {
    const killing = setTimeout(() => {
      code ||= 1;
      for (const part of parts) part.stop("SIGKILL");
    }, TIME_LIMITS.partsEndMs);
    const writers = parts.filter(({ name }) => name !== "edge");
    for (const part of writers) part.stop("SIGTERM");
    const patience = new Promise((resolve) => setTimeout(resolve, TIME_LIMITS.writersEndMs));
    await Promise.race([patience, Promise.all(writers.map(({ ended }) => ended))]);
    for (const part of parts) part.stop("SIGTERM");
    await Promise.all(parts.map(({ ended }) => ended));
    clearTimeout(killing);
    process.exit(code);
  })();
  return stopping;
}
