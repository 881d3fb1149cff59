/** Where the jars of the tests' Kafka are: Maven fetches them once, and says where. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const pom = join(root, "test/kafka/pom.xml");
const FETCH_MS = 300_000;

/** The last release line that can keep its metadata in ZooKeeper, and writes records of the formats 0 and 1. */
export const OLD_VERSION = "3.9.1";

const found = new Map<string | undefined, Promise<string>>();

/**
 * Java's class path for a version, or else for the one that the pom names; rejects with the reason where Java or
 * Maven is missing, or Maven can't reach its jars.
 */
export function kafkaClasspath(version?: string): Promise<string> {
  const known = found.get(version) ?? find(version);
  found.set(version, known);
  return known;
}

async function find(version: string | undefined): Promise<string> {
  await run("java", ["-version"]).catch(missing("java"));
  const of = createHash("sha256").update(readFileSync(pom)).digest("hex").slice(0, 12);
  const folder = join(root, "node_modules/.cache/kafka");
  const file = join(folder, `classpath-${of}-${version ?? "newest"}`);
  if (existsSync(file)) {
    const classpath = readFileSync(file, "utf8").trim();
    if (classpath.split(delimiter).every((jar) => existsSync(jar))) return classpath;
  }
  mkdirSync(folder, { recursive: true });
  // Another process may be at it too, so the file appears whole.
  const written = `${file}.${process.pid}`;
  const chosen = version === undefined ? [] : [`-Dkafka.version=${version}`];
  await run(
    "mvn",
    ["-q", "-B", "-f", pom, ...chosen, "dependency:build-classpath", `-Dmdep.outputFile=${written}`],
    { timeout: FETCH_MS },
  ).catch(missing("mvn"));
  renameSync(written, file);
  return readFileSync(file, "utf8").trim();
}

function missing(program: string) {
  return (error: Error & { code?: unknown; stdout?: string }) => {
    if (error.code === "ENOENT") throw new Error(`${program} is not on this machine`);
    throw new Error(`${program} failed: ${error.stdout?.trim() || error.message}`);
  };
}
