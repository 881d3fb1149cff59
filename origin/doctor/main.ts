/** `npm run doctor`: examines what an origin with these settings needs, one line for each check; see `--help`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatSlice, isWhole } from "../../shared/protocol/slice.ts";
import { hiding } from "../operate/log.ts";
import { type Config, readConfig, secretsOf } from "../settings/config.ts";
import { examineEdge } from "./edge.ts";
import { type Finding, hint, lineOf, ok, wrong } from "./finding.ts";
import { examineEmbedded, examineFolder, examineStatusPort } from "./local.ts";

const USAGE = {
  usage: "npm run doctor -- [flags]",
  does: `Checks all that an origin with the same settings needs: settings, data folder, brokers, topics, edge. One line
each: ok, hint, or what is wrong and what to do. Ends with 1 where something is wrong. It changes nothing, and can
run beside an origin.`,
};

async function* examine(config: Partial<Config>, problems: readonly string[]): AsyncGenerator<Finding, void> {
  if (problems.length === 0) yield ok("settings", "can be used");
  for (const problem of problems) yield wrong("settings", problem, "correct it; --help lists all settings");
  const { dataDir, indexMaxBytes, streams, status, edgeUrl, uplinkKey } = config;
  if (config.slice !== undefined && !isWhole(config.slice))
    yield ok("ORIGIN_SLICE", `${formatSlice(config.slice)}: the other partitions need origins of their own`);
  if (streams !== undefined) yield streamsFinding(streams.all.length);
  if (dataDir !== undefined) yield* examineFolder(dataDir, indexMaxBytes ?? 0);
  if (status !== undefined) yield await examineStatusPort(status);
  if (problems.some((problem) => problem.startsWith("KAFKA_")))
    yield hint("Kafka", "is not examined, since its settings are wrong", "correct them first");
  else if (config.kafka !== undefined) {
    const { examineKafka } = await import("./kafka.ts");
    yield* examineKafka(config.kafka, streams);
  } else if (dataDir !== undefined) yield* examineEmbedded(dataDir, streams);
  if (edgeUrl !== undefined) yield* examineEdge({ edgeUrl, key: uplinkKey, streams });
}

function streamsFinding(count: number): Finding {
  if (count > 0) return ok("STREAMS", `${count} topic${count === 1 ? " is" : "s are"} exposed`);
  return wrong("STREAMS", "nothing is exposed", "list topics in streams.json");
}

const result = readConfig(
  {
    env: process.env,
    args: process.argv.slice(2),
    root: join(import.meta.dirname, "../.."),
    readFile: (path) => readFileSync(path, "utf8"),
  },
  USAGE,
);
if (result.kind === "help") process.stdout.write(result.text);
else if (result.kind === "problems" && result.misused) {
  process.stderr.write(`${result.problems.join("\n")}\n`);
  process.exitCode = 2;
} else {
  const [config, problems] =
    result.kind === "config" ? [result.config, []] : [result.readable, result.problems];
  const hide = hiding(secretsOf(config));
  let isWrong = false;
  for await (const finding of examine(config, problems)) {
    isWrong ||= finding.verdict === "wrong";
    process.stdout.write(`${hide(lineOf(finding))}\n`);
  }
  // Whatever is still open somewhere is not waited for.
  process.exit(isWrong ? 1 : 0);
}
