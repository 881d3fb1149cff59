/** Many records at once: written by Kafka's own producers from a seed, and digested by Kafka's own consumer. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { KafkaBroker } from "./kafka-broker.ts";
import type { KeyDigest } from "./record-digest.ts";

const run = promisify(execFile);

export interface Load {
  readonly topic: string;
  readonly seed: number;
  readonly records: number;
  readonly keys: number;
  /** Of a value, the fewest and the most. */
  readonly bytes: readonly [number, number];
  /** One for each: a codec, with `+tx` where it writes transactions, of which a third are aborted. */
  readonly producers: readonly string[];
  /** Records are whatever Kafka allows, and not all alike. */
  readonly odd?: true;
}

export interface Loaded {
  /** Committed, with a key and without. */
  readonly keyed: number;
  readonly keyless: number;
  readonly aborted: number;
}

export interface ForeignDigests {
  readonly partitions: readonly { partition: number; keyed: number; keyless: number; end: number }[];
  /** By key in hexadecimal digits. */
  readonly keys: ReadonlyMap<string, KeyDigest & { readonly partition: number }>;
}

export async function load(kafka: KafkaBroker, what: Load): Promise<Loaded> {
  const { topic, seed, records, keys, bytes, producers, odd } = what;
  const numbers = [seed, records, keys, ...bytes].map(String);
  const args = [kafka.bootstrap, topic, ...numbers, producers.join(","), ...(odd ? ["odd"] : [])];
  return JSON.parse(await java(kafka, "Load", args));
}

/** What Kafka's own consumer reads of a topic, from its beginning to the end of what is committed. */
export async function digestOf(kafka: KafkaBroker, topic: string): Promise<ForeignDigests> {
  const lines = (await java(kafka, "Digest", [kafka.bootstrap, topic])).trim().split("\n");
  const found = lines.map((line) => JSON.parse(line));
  return {
    partitions: found.filter(({ key }) => key === undefined),
    keys: new Map(found.flatMap(({ key, ...digest }) => (key === undefined ? [] : [[key, digest]]))),
  };
}

async function java(kafka: KafkaBroker, program: string, args: readonly string[]): Promise<string> {
  const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";
  const flags = ["-Xmx512m", "-XX:+UseSerialGC", quiet, "-cp", kafka.programs];
  const { stdout } = await run("java", [...flags, program, ...args], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}
