/**
 * Prepares a broker's folder as Kafka's own tool does. That takes a second of Java, and all that it makes besides the
 * broker's names is the same each time: it is kept.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, hashOf } from "./kafka-classpath.ts";

const run = promisify(execFile);
const FORMAT_MS = 120_000;
const CHECKPOINT = "bootstrap.checkpoint";

export interface Formatting {
  readonly classpath: string;
  /** Options of Java. */
  readonly java: readonly string[];
  readonly cluster: string;
  readonly id: number;
  /** Its server.properties, and where it says that data are to be. */
  readonly properties: string;
  readonly data: string;
  readonly isController: boolean;
  /** Accounts, as the tool wants them. */
  readonly accounts: readonly string[];
}

export async function format(what: Formatting): Promise<void> {
  const { classpath, java, cluster, id, properties, data, isController, accounts } = what;
  const kept = join(cacheFolder, `formatted-${hashOf(classpath, String(isController), ...accounts)}`);
  if (existsSync(kept)) {
    mkdirSync(data);
    copyFileSync(kept, join(data, CHECKPOINT));
    const names = { version: 1, "cluster.id": cluster, "node.id": id, "directory.id": newUuid() };
    const lines = Object.entries(names).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(data, "meta.properties"), lines.join(""));
    return;
  }
  const args = ["format", "-t", cluster, ...accounts, "-c", properties];
  await run("java", [...java, "-cp", classpath, "kafka.tools.StorageTool", ...args], { timeout: FORMAT_MS });
  // Others may be at it too, so the file appears whole.
  const written = `${kept}.${process.pid}.${id}`;
  copyFileSync(join(data, CHECKPOINT), written);
  renameSync(written, kept);
}

/** As Kafka writes them: it takes none that looks like an option. */
export const newUuid = () => randomBytes(16).toString("base64url").replace(/^-/, "A");
