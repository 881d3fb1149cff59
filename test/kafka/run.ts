/** A Kafka by hand: `npm run kafka`. Its data is gone when it ends. */
import { once } from "node:events";
import { readSettings } from "../../shared/node/settings.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";

const command = {
  usage: "npm run kafka",
  does: "Runs a Kafka of one broker on this machine, to try things with, until Ctrl-C. Its data is gone then.",
  settings: {},
  switches: {},
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") {
  process.stderr.write(`${given.problem}\n`);
  process.exitCode = 2;
} else await run();

async function run(): Promise<void> {
  const kafka = await KafkaBroker.start();
  console.log(`Kafka listens at ${kafka.bootstrap}. Ctrl-C ends it.`);
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  await kafka.stop();
}
