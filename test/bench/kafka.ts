/** The Kafka that the bench starts for itself. */
import { KafkaBroker, type KafkaOptions } from "../support/kafka-broker.ts";

/** Kafka can't be started here; the message says why, and what to do without it. */
export class NoKafka extends Error {}

export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  try {
    return await KafkaBroker.start(options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new NoKafka(
      `Kafka can't be started: ${why}\nIt needs Java, and Maven to fetch it once. Without them: npm run bench -- --source embedded`,
      { cause: error },
    );
  }
}
