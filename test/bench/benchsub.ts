/** `npm run benchsub`: clients of any edge, which read what `benchpub` publishes. See `--help`. */
import { readSettings } from "../../origin/settings.ts";
import { nowUs, sleepUntil } from "./clock.ts";
import { assign, POPULARITIES, seeded } from "./load/chance.ts";
import { Clients } from "./load/load.ts";
import { Numbers } from "./numbers.ts";
import { ms, number } from "./report.ts";

const command = {
  usage: "npm run benchsub -- --url http://127.0.0.1:8787 --topic name [flags]",
  does: "Subscribes to what benchpub publishes. Latencies mean something only on the machine of the publisher.",
  settings: {
    URL: { means: "The edge, without a path: http://… or https://…. Required." },
    TOPIC: { means: "The topic. Required." },
    ENDPOINTS: { means: "How many keys are published: k0, k1, …", default: "100" },
    CLIENTS: { means: "How many clients subscribe, each to one key.", default: "1000" },
    POPULARITY: { means: `Which key a client takes: ${POPULARITIES.join(", ")}.`, default: "uniform" },
    DURATION: { means: "Seconds.", default: "30" },
    PROCESSES: { means: "Processes that the clients run in.", default: "2" },
    SEED: { means: "Of chance.", default: "1" },
  },
  switches: {},
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const { URL: url, TOPIC: topic, ...rest } = given.values;
  const read = new Numbers(rest);
  const [endpoints, count] = [read.whole("ENDPOINTS", 1), read.whole("CLIENTS", 1)];
  const [processes, seed, seconds] = [
    read.whole("PROCESSES", 1),
    read.whole("SEED", 0),
    read.positive("DURATION"),
  ];
  const popularity = read.oneOf("POPULARITY", POPULARITIES) ?? "uniform";
  const problems = [...read.problems];
  if (url === undefined || !/^https?:\/\/[^/]+\/?$/.test(url))
    problems.push("--url must be http://… or https://…, without a path");
  if (topic === undefined) problems.push("--topic is required: --topic name");
  if (problems.length > 0 || url === undefined || topic === undefined) fail(...problems);
  else {
    const assignment = assign(popularity, count, endpoints, seeded(seed));
    const base = url.replace(/\/$/, "");
    const clients = new Clients({
      url: base,
      topic,
      assignment,
      processes,
      verdicts: true,
      first: undefined,
    });
    try {
      await watch(clients, count, endpoints, seconds);
    } catch (error) {
      process.exitCode = 1;
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    } finally {
      await clients.stop();
    }
  }
}

async function watch(clients: Clients, count: number, endpoints: number, seconds: number): Promise<void> {
  const took = await clients.connect();
  process.stderr.write(`${count} clients are live, ${number(count / took)} connected per second\n`);
  const from = nowUs();
  await clients.measure({ from, until: from + seconds * 1e6 });
  let last = 0;
  for (let second = 1; second <= seconds; second++) {
    await sleepUntil(from + second * 1e6);
    const { received, live } = await clients.progress();
    process.stderr.write(`${live} clients, ${received - last} messages/s\n`);
    last = received;
  }
  const { received, bytes, latency, duplicated, violations, violation, closes, close } =
    await clients.received();
  // How many there were to come isn't known here; what others after it came for is.
  const lost = await clients.lost(new Uint32Array(endpoints), 0);
  const because = (why: string | undefined) => (why === undefined ? "" : ` (${why})`);
  process.stdout.write(
    `${number(received / seconds)} messages/s, ${number(bytes / seconds / 1e6, 2)} MB/s\n` +
      `latency: mean ${ms(latency.mean)}, median ${ms(latency.p50)}, p75 ${ms(latency.p75)}, p99 ${ms(latency.p99)}, max ${ms(latency.max)}\n` +
      `lost ${lost}, duplicated ${duplicated}, out of order ${violations}${because(violation)}, connections broken ${closes}${because(close)}\n`,
  );
  if (lost > 0 || duplicated > 0 || violations > 0) process.exitCode = 1;
}

function fail(...problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = 2;
}
