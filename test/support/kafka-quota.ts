/** What brokers allow clients, set as an operator does it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { KafkaBroker } from "./kafka-broker.ts";

const run = promisify(execFile);
const FLAGS = ["-Xmx200m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";

/** @param bytesPerSecond That each client may fetch from each broker; undefined for as many as it likes. */
export async function limitConsumers(kafka: KafkaBroker, bytesPerSecond: number | undefined): Promise<void> {
  const change =
    bytesPerSecond === undefined
      ? ["--delete-config", "consumer_byte_rate"]
      : ["--add-config", `consumer_byte_rate=${bytesPerSecond}`];
  const whom = ["--entity-type", "clients", "--entity-default"];
  const args = ["--bootstrap-server", kafka.bootstrap, "--alter", ...change, ...whom];
  await run("java", [...FLAGS, QUIET, "-cp", kafka.classpath, "kafka.admin.ConfigCommand", ...args]);
}
