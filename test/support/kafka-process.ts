/** A broker's process: from its start until it answers, and its end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { delimiter, join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { eventually } from "./deadline.ts";
import { archiveOf } from "./kafka-archive.ts";
import type { Node } from "./kafka-properties.ts";

/** Of a machine that has much else to do. */
const START_MS = 120_000;
const STOP_MS = 20_000;
/** A test's broker is small and short-lived: what makes it start soon matters, not how fast it gets. */
export const JAVA = ["-Xmx384m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/** Resolves when it answers, or if it has ended by then. @param mayArchive As in `archiveOf`. */
export async function launch(node: Node, classpath: string, mayArchive: boolean): Promise<void> {
  const out = createWriteStream(join(node.folder, "out.log"), { flags: "a" });
  // An archive takes no folders, and brokers need no programs of tests.
  const paths = classpath.split(delimiter).filter((path) => path.endsWith(".jar"));
  const jars = paths.join(delimiter);
  const archive = archiveOf(jars, node.id, mayArchive);
  node.archive = archive;
  const child = spawn(
    "java",
    [
      ...JAVA,
      ...archive.java,
      "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
      "-cp",
      jars,
      "kafka.Kafka",
      join(node.folder, "server.properties"),
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  child.stdout.pipe(out, { end: false });
  child.stderr.pipe(out, { end: false });
  node.process = child;
  const die = () => child.kill("SIGKILL");
  process.once("exit", die);
  child.once("close", (code) => {
    archive.ended(code);
    process.off("exit", die);
    out.end();
    if (node.process === child) node.process = undefined;
  });
  await eventually(() => node.process === undefined || answers(node), `broker ${node.id} answers`, START_MS);
}

async function answers({ id, port }: Node): Promise<boolean> {
  const brokers = [`127.0.0.1:${port}`];
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.some(({ nodeId }) => nodeId === id);
  } finally {
    await admin.disconnect();
  }
}

/** Resolves when it has ended; if it doesn't by itself, it is made to. */
export async function end(node: Node, signal: NodeJS.Signals): Promise<void> {
  const child = node.process;
  if (child === undefined) return;
  const ended = once(child, "close");
  child.kill(signal);
  const hurry = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(hurry);
  node.process = undefined;
}
