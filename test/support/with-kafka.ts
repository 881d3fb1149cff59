import { describe } from "vitest";
import { type KafkaVersion, kafkaClasspath, OLD_VERSION, OLDEST_VERSION } from "./kafka-classpath.ts";

const reasonAgainst = (version?: string) =>
  kafkaClasspath(version).then(
    () => undefined,
    (error: Error) => error.message,
  );
const reason = await reasonAgainst();

/**
 * Tests that need Kafka. Without Java or Maven they are skipped, by name and with the reason; in CI that is a
 * failure.
 */
export function describeWithKafka(name: string, body: () => void): void {
  describeUnless(reason, name, body);
}

/** The same with the old release; to be awaited. */
export async function describeWithOldKafka(name: string, body: () => void): Promise<void> {
  describeUnless(await reasonAgainst(OLD_VERSION), name, body);
}

/** The same with the oldest that is asked for topics by their ids. */
export async function describeWithOldestKafka(name: string, body: () => void): Promise<void> {
  await describeWithKafkaOf(OLDEST_VERSION, name, body);
}

/** The same with this version. */
export async function describeWithKafkaOf(
  version: KafkaVersion,
  name: string,
  body: () => void,
): Promise<void> {
  describeUnless(await reasonAgainst(version), name, body);
}

function describeUnless(reason: string | undefined, name: string, body: () => void): void {
  if (reason === undefined || process.env.CI === "true") describe(name, body);
  else describe.skip(`${name} (skipped: ${reason})`, body);
}
