/** `npm run benchsub`: clients of any edge, which read what `benchpub` publishes. See `--help`. */
import { readSettings } from "../../shared/node/settings.ts";
import { nowUs, sleepUntil } from "./clock.ts";
import { checkDescriptors } from "./descriptors.ts";
import { assign, POPULARITIES, seeded } from "./load/chance.ts";
import { Clients, type Received } from "./load/load.ts";
import { Numbers } from "./numbers.ts";
import { MAX_PROCESSES, MAX_SECONDS, MOST } from "./options.ts";
import { openFilesLimit } from "./proc.ts";
import { latencies, number } from "./report.ts";

const command = {
  usage: "npm run benchsub -- --url http://127.0.0.1:8787 --topic name [flags]",
  does: "Subscribes to what benchpub publishes. Latencies mean something only on the machine of the publisher.",
  settings: {
    URL: { means: "The edge, without a path: http://… or https://…. Required." },
    TOPIC: { means: "The topic, which anyone may subscribe to. Required." },
    ENDPOINTS: { means: "How many keys are published: k0, k1, …", default: "100" },
    CLIENTS: { means: "How many clients subscribe, each to one key.", default: "1000" },
    POPULARITY: { means: `Which key a client takes: ${POPULARITIES.join(", ")}.`, default: "uniform" },
    DURATION: { means: "Seconds.", default: "30" },
    PROCESSES: { means: "Processes that the clients run in.", default: "2" },
    SEED: { means: "Of chance.", default: "1" },
  },
  switches: { json: "Prints JSON." },
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const { URL: url, TOPIC: topic, ...rest } = given.values;
  const read = new Numbers(rest);
  const [endpoints, count] = [read.whole("ENDPOINTS", 1, MOST), read.whole("CLIENTS", 1, MOST)];
  const [processes, seed, seconds] = [
    read.whole("PROCESSES", 1, MAX_PROCESSES),
    read.whole("SEED", 0),
    read.positive("DURATION", MAX_SECONDS),
  ];
  const popularity = read.oneOf("POPULARITY", POPULARITIES) ?? "uniform";
  const problems = [...read.problems];
  if (url === undefined || !/^https?:\/\/[^/]+\/?$/.test(url))
    problems.push("--url must be http://… or https://…, without a path");
  if (topic === undefined) problems.push("--topic is required: --topic name");
  const limit = openFilesLimit();
  const plan = { clients: count, processes, server: undefined, workers: 1, publishers: 0, limit };
  if (problems.length === 0) problems.push(...checkDescriptors(plan).problems);
  if (problems.length > 0 || url === undefined || topic === undefined) fail(...problems);
  else {
    const assignment = assign(popularity, count, endpoints, seeded(seed));
    const base = url.replace(/\/$/, "");
    const clients = new Clients({
      url: base,
      topic,
      assignment,
      processes,
      dialect: "distributary",
      first: undefined,
    });
    try {
      await watch(clients, { count, endpoints, seconds, json: given.switches.json });
    } catch (error) {
      process.exitCode = 1;
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    } finally {
      await clients.stop();
    }
  }
}

async function watch(
  clients: Clients,
  wanted: { count: number; endpoints: number; seconds: number; json: boolean },
): Promise<void> {
  const { count, endpoints, seconds } = wanted;
  const connectsPerSecond = count / (await clients.connect());
  process.stderr.write(`${count} clients are live, ${number(connectsPerSecond)} connected per second\n`);
  const from = nowUs();
  await clients.measure({ from, until: from + seconds * 1e6 });
  let last = 0;
  for (let second = 1; second <= seconds; second++) {
    await sleepUntil(from + second * 1e6);
    const { received, live } = await clients.progress();
    process.stderr.write(`${live} clients, ${received - last} messages/s\n`);
    last = received;
  }
  await sleepUntil(from + seconds * 1e6);
  const { received, bytes, ...rest } = await clients.received();
  // How many there were to come isn't known here; what others after it came for is.
  const lost = await clients.lost(new Uint32Array(endpoints), 0);
  const result = {
    messagesPerSecond: received / seconds,
    megabytesPerSecond: bytes / seconds / 1e6,
    wireBytes: received === 0 ? 0 : bytes / received,
    connectsPerSecond,
    lost,
    ...rest,
  };
  process.stdout.write(wanted.json ? `${JSON.stringify(result)}\n` : text(result));
  if (lost > 0 || rest.duplicated > 0 || rest.violations > 0) process.exitCode = 1;
}

type Watched = Omit<Received, "received" | "bytes"> & {
  readonly messagesPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly wireBytes: number;
  readonly lost: number;
};

function text({
  messagesPerSecond,
  megabytesPerSecond,
  wireBytes,
  latency,
  lost,
  ...counts
}: Watched): string {
  const { duplicated, violations, violation, closes, close } = counts;
  const because = (why: string | undefined) => (why === undefined ? "" : ` (${why})`);
  return (
    `${number(messagesPerSecond)} messages/s, ${number(megabytesPerSecond, 2)} MB/s, ${number(wireBytes, 1)} bytes on the wire for each\n` +
    `latency: ${latencies(latency)}\n` +
    `lost ${lost}, duplicated ${duplicated}, out of order ${violations}${because(violation)}, connections broken ${closes}${because(close)}\n`
  );
}

function fail(...problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = 2;
}
