/** A Kafka by hand: `npm run kafka`. Its data is gone when it ends. */
import { once } from "node:events";
import { runScript } from "../../shared/node/script.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";

await runScript(
  "npm run kafka",
  "Runs a Kafka of one broker on this machine, to try things with, until Ctrl-C. Its data is gone then.",
  run,
);

async function run(): Promise<void> {
  const kafka = await KafkaBroker.start();
  console.log(`Kafka listens at ${kafka.bootstrap}. Ctrl-C ends it.`);
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  await kafka.stop();
}
