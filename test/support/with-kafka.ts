import { describe } from "vitest";
import { kafkaClasspath } from "./kafka-classpath.ts";

const reason = await kafkaClasspath().then(
  () => undefined,
  (error: Error) => error.message,
);

/**
 * Tests that need Kafka. Without Java or Maven they are skipped, by name and with the reason; in CI that is a
 * failure.
 */
export function describeWithKafka(name: string, body: () => void): void {
  if (reason === undefined || process.env.CI === "true") describe(name, body);
  else describe.skip(`${name} (skipped: ${reason})`, body);
}
