/**
 * Where the jars of the tests' Kafka are, and their own programs, compiled: Maven fetches the former once, and says where;
 * the latter are compiled once, since Java would do it anew each time that one is run.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const pom = join(root, "test/kafka/pom.xml");
const sources = join(root, "test/kafka");
/** Of what is kept from one run to the next. */
export const cacheFolder = join(root, "node_modules/.cache/kafka");
const FETCH_MS = 300_000;
const COMPILE_MS = 120_000;

/** The last release line that can keep its metadata in ZooKeeper, and writes records of the formats 0 and 1. */
export const OLD_VERSION = "3.9.1";
/** The oldest that is asked for topics by their ids. */
export const OLDEST_VERSION = "3.1.2";
/** Others that are read. The tests' own programs are of newer ones than these, and than the one above. */
export const OLDER_VERSIONS = ["2.1.1", "2.8.2", "3.0.2"] as const;

export type KafkaVersion = typeof OLD_VERSION | typeof OLDEST_VERSION | (typeof OLDER_VERSIONS)[number];

/** There are no jars of the usual Scala, and its own ZooKeeper finds no server on Java 14 or newer. */
const OF_OLDEST = ["-Dscala.version=2.12", "-Dzookeeper.version=3.4.12"];

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
  const jars = await jarsOf(version);
  if (version !== undefined && version !== OLD_VERSION) return jars;
  return [jars, await compiled(jars)].join(delimiter);
}

async function jarsOf(version: string | undefined): Promise<string> {
  await run("java", ["-version"]).catch(missing("java"));
  const of = hashOf(readFileSync(pom));
  const file = join(cacheFolder, `classpath-${of}-${version ?? "newest"}`);
  if (existsSync(file)) {
    const classpath = readFileSync(file, "utf8").trim();
    if (classpath.split(delimiter).every((jar) => existsSync(jar))) return classpath;
  }
  mkdirSync(cacheFolder, { recursive: true });
  // Another process may be at it too, so the file appears whole.
  const written = `${file}.${process.pid}`;
  const chosen = version === undefined ? [] : [`-Dkafka.version=${version}`];
  if (version === OLDER_VERSIONS[0]) chosen.push(...OF_OLDEST);
  await run(
    "mvn",
    ["-q", "-B", "-f", pom, ...chosen, "dependency:build-classpath", `-Dmdep.outputFile=${written}`],
    { timeout: FETCH_MS },
  ).catch(missing("mvn"));
  renameSync(written, file);
  return readFileSync(file, "utf8").trim();
}

/** The folder of the programs' classes. */
async function compiled(jars: string): Promise<string> {
  const programs = readdirSync(sources)
    .filter((name) => name.endsWith(".java"))
    .map((name) => join(sources, name));
  const classes = join(cacheFolder, `classes-${hashOf(jars, ...programs.map((file) => readFileSync(file)))}`);
  if (existsSync(classes)) return classes;
  const written = `${classes}.${process.pid}`;
  const javac = ["-m", "jdk.compiler/com.sun.tools.javac.Main"];
  await run("java", [...javac, "-cp", jars, "-d", written, ...programs], { timeout: COMPILE_MS }).catch(
    missing("java"),
  );
  try {
    renameSync(written, classes);
  } catch (error) {
    // Another process was faster.
    if (!existsSync(classes)) throw error;
  }
  return classes;
}

export function hashOf(...contents: readonly (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const content of contents) hash.update(content);
  return hash.digest("hex").slice(0, 12);
}

function missing(program: string) {
  return (error: Error & { code?: unknown; stdout?: string }) => {
    if (error.code === "ENOENT") throw new Error(`${program} is not on this machine`);
    throw new Error(`${program} failed: ${error.stdout?.trim() || error.message}`);
  };
}
