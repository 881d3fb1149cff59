/**
 * The process of an origin; see `--help`. Exit codes: 0 if it was told to stop; 1, with one line that says why, if it can't
 * go on; 2 if the flags make no sense.
 */
import { readFileSync } from "node:fs";
import { home } from "../shared/node/installation.ts";
import { formatSlice, isWhole } from "../shared/protocol/slice.ts";
import { EmbeddedLog, logPath } from "./embedded/log.ts";
import { EmbeddedSink } from "./embedded/sink.ts";
import { EmbeddedSource } from "./embedded/source.ts";
import { endByHangup, whenHungUp } from "./hangup.ts";
import { IndexError, isDamage } from "./index/error.ts";
import { withRenewal } from "./kafka/credentials.ts";
import { createLog, type EventName, hiding, type Log } from "./operate/log.ts";
import { Meter } from "./operate/meter.ts";
import type { Status } from "./operate/status.ts";
import { Origin } from "./origin.ts";
import type { Sink } from "./publish/sink.ts";
import { type Config, readConfig, secretsOf } from "./settings/config.ts";
import { type Edge, edgeName } from "./settings/edges.ts";
import { type Renewable, Renewal, readRenewed } from "./settings/renewable.ts";
import { Secrets, secretsIn } from "./settings/secrets.ts";
import type { Source } from "./source/source.ts";
import { TIME_LIMITS } from "./time-limits.ts";

/** What the process that started this one, if any, is told to show people. */
const SHOWN: ReadonlySet<EventName> = new Set(["topic_found", "catching_up", "topic_caught_up"]);

/** Resolves when the process is told to stop, or what started it has gone. */
function toldToStop(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  if (process.channel) process.once("disconnect", () => resolve("the parent process has gone"));
  return promise;
}

interface OpenLog {
  readonly source: Source;
  readonly openSink: () => Sink;
  close(): Promise<void>;
}

/** What is configured; the code of Kafka is loaded only if it is. */
async function openLog({ kafka: given, dataDir, publishId, streams }: Config, log: Log): Promise<OpenLog> {
  if (given !== undefined) {
    const kafka = { ...given, lacks: eachOnce((what) => log("log_lacks", { what })) };
    const { KafkaSource } = await import("./kafka/source.ts");
    const { KafkaSink } = await import("./kafka/sink.ts");
    const source = new KafkaSource(kafka);
    return { source, openSink: () => new KafkaSink(kafka, { publishId }), close: () => source.close() };
  }
  const embedded = new EmbeddedLog(logPath(dataDir));
  // Nobody else would make a topic that is only ever published to.
  for (const { topic, publish } of streams.named) if (publish !== "nobody") embedded.createTopic(topic);
  const source = new EmbeddedSource(embedded);
  return {
    source,
    openSink: () => new EmbeddedSink(embedded),
    close: async () => {
      await source.close();
      embedded.close();
    },
  };
}

/** Brokers lack the same as a rule, and are connected to again and again. */
function eachOnce(tell: (what: string) => void): (what: string) => void {
  const told = new Set<string>();
  return (what) => {
    if (told.has(what)) return;
    told.add(what);
    tell(what);
  };
}

/** The same settings, whose secrets are as new as the files in which they lie. */
function renewed(config: Config, log: Log, secrets: Secrets): Config {
  const renewing = <T>(part: Renewable<T>) => {
    const renewal = new Renewal(part, {
      readFile: readRenewed,
      renewed: (texts, files) => {
        secrets.add(...secretsIn(texts.values()));
        log("credentials_renewed", { files });
      },
      unusable: (why) => log("credentials_unusable", { why }),
    });
    return () => renewal.current();
  };
  const { edgesInFile, kafka } = config;
  return {
    ...config,
    ...(edgesInFile && { currentEdges: renewing(edgesInFile) }),
    kafka: kafka && withRenewal(kafka, renewing),
  };
}

/** Tells how it goes, if a port is set for that; the code for it is loaded only there. */
async function openOperatorPort({ status }: Config, meter: Meter, log: Log, now: () => Status | undefined) {
  if (status === undefined) return undefined;
  const { openOperatorPort } = await import("./operate/operate.ts");
  const listener = await openOperatorPort(status, meter, now);
  log("status_port_open", { host: status.host, port: status.port });
  return listener;
}

/** Runs until told to stop. An index that breaks is put aside and built anew. Throws what can't be helped. */
async function run(given: Config, output: Log, secrets: Secrets): Promise<void> {
  const stop = toldToStop();
  const meter = new Meter();
  const log = meter.log(output);
  const config = renewed(given, log, secrets);
  let origin: Origin | undefined;
  let { edges } = config;
  const rereadEdges = async () => {
    edges = await asFileHasThem(config);
    origin?.changeEdges(edges);
  };
  whenHungUp(config.edgesChange ? rereadEdges : endByHangup);
  const listener = await openOperatorPort(config, meter, log, () => origin?.status());
  const { source, openSink, close } = await openLog(config, log);
  let rebuiltAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    origin = new Origin(
      { ...config, edges },
      config.status === undefined ? source : meter.source(source),
      openSink,
      log,
    );
    const { name, slice, streams, kafka } = config;
    const from = kafka?.brokers ?? "the embedded log";
    log("started", {
      name,
      slice: isWhole(slice) ? undefined : formatSlice(slice),
      edges: edges.map(edgeName),
      from,
      streams: streams.all.map(({ topic }) => topic),
    });
    const end = await Promise.race([
      stop.then((why) => ({ why })),
      origin.failed.then((error) => ({ error })),
    ]);
    const running = origin;
    origin = undefined;
    if ("why" in end) {
      log("stopping", { why: end.why });
      await ended(running, log);
      await close();
      await listener?.close();
      return;
    }
    await running.stop();
    const { error } = end;
    if (!isDamage(error)) throw error;
    const ageMs = performance.now() - rebuiltAt;
    if (ageMs < TIME_LIMITS.indexBrokenAgainMs) throw brokenAgain(error, ageMs);
    rebuiltAt = performance.now();
    tellOfDamage(error, log);
  }
}

/** Never rejects. */
async function asFileHasThem({ edges, currentEdges }: Config): Promise<readonly Edge[]> {
  // A read that is under way may have begun before the file was replaced.
  await currentEdges?.();
  return (await currentEdges?.()) ?? edges;
}

/** An index may turn out to be damaged only when the last of it is written: the next run builds it anew. */
async function ended(origin: Origin, log: Log): Promise<void> {
  try {
    await origin.stop();
  } catch (error) {
    if (!isDamage(error)) throw error;
    tellOfDamage(error, log);
  }
}

function tellOfDamage({ message, aside }: IndexError, log: Log): void {
  log("index_rebuilt", { why: message, aside });
}

function brokenAgain(error: IndexError, ageMs: number): IndexError {
  const age = `${Math.ceil(ageMs / 1_000)} s after it was built anew`;
  const message = `${error.message}, ${age}: see whether the disk below DATA_DIR, or the memory, is failing`;
  return new IndexError("corrupt", message, { cause: error });
}

const result = readConfig({
  env: process.env,
  args: process.argv.slice(2),
  root: home,
  readFile: (path) => readFileSync(path, "utf8"),
});
if (result.kind === "help") process.stdout.write(result.text);
else if (result.kind === "problems") {
  for (const problem of result.problems) process.stderr.write(`${problem}\n`);
  process.exitCode = result.misused ? 2 : 1;
} else {
  const secrets = new Secrets(secretsOf(result.config));
  const write = createLog({
    level: result.config.logLevel,
    pretty: process.stderr.isTTY,
    now: Date.now,
    secrets,
    write: (line) => process.stderr.write(line),
  });
  const log: Log = (event, fields) => {
    write(event, fields);
    if (SHOWN.has(event) && process.connected) process.send?.({ event, ...fields });
  };
  const hide = hiding(secrets);
  const die = (error: unknown): never => {
    log("fatal", { why: error instanceof Error ? error.message : String(error) });
    process.exit(1);
  };
  // A fault of the program, unlike what `run` throws.
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${hide(error.stack ?? error.message)}\n`);
    die(error);
  });
  await run(result.config, log, secrets).catch(die);
  process.exit(0);
}
