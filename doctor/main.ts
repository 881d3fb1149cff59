/** The command `doctor`: examines what an origin with these settings needs, and who may issue tokens; one line for each check; see `--help`. */
import { readFileSync } from "node:fs";
import { examineEdge } from "../origin/doctor/edge.ts";
import { type Finding, hint, lineOf, ok, wrong } from "../origin/doctor/finding.ts";
import { examineEmbedded, examineFolder, examineStatusPort } from "../origin/doctor/local.ts";
import { examineProxy } from "../origin/doctor/proxy.ts";
import { hiding } from "../origin/operate/log.ts";
import { type Readable, readConfig, secretsOf } from "../origin/settings/config.ts";
import { typed } from "../shared/node/commands.ts";
import { home } from "../shared/node/installation.ts";
import { formatSlice, isWhole } from "../shared/protocol/slice.ts";
import { examineAccess } from "./access.ts";

const USAGE = {
  usage: typed("doctor", "[flags]"),
  does: `Checks all that an origin with the same settings needs: settings, data folder, brokers, topics, edge. And the
issuers that an edge with these settings would trust, and a token. One line
each: ok, hint, or what is wrong and what to do. Ends with 1 where something is wrong. It changes nothing, and can
run beside an origin.`,
  more: {
    AUTH_ISSUERS: {
      means: `Who may issue tokens, as the edge has it. Without it, the issuer that ${typed("start")} made in the data folder, if it did.`,
      secret: true,
    },
    PUBLIC_URL: {
      means:
        "Where clients come in, as https://example.com/live: what proxies on that way do to paths and WebSockets is looked at. Unset: each edge.",
    },
    WEB_ORIGINS: { means: "As the edge has it." },
    AUTH_COOKIE: { means: "As the edge has it." },
    ACCESS_TOKEN: {
      means:
        "A token: what it allows, or why the edge would refuse it. Others on the machine can see a flag.",
      flag: "token",
    },
  },
} as const;

async function* examine(
  config: Readable,
  problems: readonly string[],
  more: Readonly<Record<string, string | undefined>>,
): AsyncGenerator<Finding, void> {
  if (problems.length === 0) yield ok("settings", "can be used");
  for (const problem of problems) yield wrong("settings", problem, "correct it; --help lists all settings");
  const { dataDir, indexMaxBytes, streams, status, edges = [] } = config;
  if (config.slice !== undefined && !isWhole(config.slice))
    yield ok("ORIGIN_SLICE", `${formatSlice(config.slice)}: the other partitions need origins of their own`);
  if (streams !== undefined) yield streamsFinding(streams.all.length);
  if (config.publishSecrets === undefined && streams?.all.some(({ publish }) => publish !== "nobody"))
    yield hint(
      "PUBLISH_SECRET",
      "isn't set, so nothing can be published, though streams say who may",
      "set it, the same for all origins",
    );
  if (dataDir !== undefined) yield* examineFolder(dataDir, indexMaxBytes ?? 0);
  if (status !== undefined) yield await examineStatusPort(status);
  if (problems.some((problem) => problem.startsWith("KAFKA_")))
    yield hint("Kafka", "is not examined, since its settings are wrong", "correct them first");
  else if (config.kafka !== undefined) {
    const { examineKafka } = await import("../origin/doctor/kafka.ts");
    yield* examineKafka(config.kafka, streams, config.publishSecrets && config.publishId);
  } else if (dataDir !== undefined) yield* examineEmbedded(dataDir, streams);
  yield* examineAccess({ ...more, dataDir, token: more.ACCESS_TOKEN });
  for (const { url, key } of edges) yield* examineEdge({ edgeUrl: url, key, streams });
  const publicUrls = more.PUBLIC_URL ? [more.PUBLIC_URL] : edges.map(({ url }) => url.href);
  for (const publicUrl of publicUrls)
    if (isPublicUrl(publicUrl)) yield* examineProxy(new URL(publicUrl));
    else
      yield wrong("PUBLIC_URL", "is neither a http: nor a https: URL", "give it as https://example.com/live");
}

const isPublicUrl = (text: string) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

function streamsFinding(count: number): Finding {
  if (count > 0) return ok("STREAMS", `${count} topic${count === 1 ? " is" : "s are"} exposed`);
  return wrong("STREAMS", "nothing is exposed", "list topics in streams.json");
}

const result = readConfig(
  {
    env: process.env,
    args: process.argv.slice(2),
    root: home,
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
  const { more = {} } = result;
  const hide = hiding([...secretsOf(config), more.ACCESS_TOKEN ?? ""]);
  let isWrong = false;
  for await (const finding of examine(config, problems, more)) {
    isWrong ||= finding.verdict === "wrong";
    process.stdout.write(`${hide(lineOf(finding))}\n`);
  }
  // Whatever is still open somewhere is not waited for.
  process.exit(isWrong ? 1 : 0);
}
