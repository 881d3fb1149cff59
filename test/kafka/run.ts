/** A Kafka by hand: `npm run kafka`. Its data is gone when it ends. */
import { once } from "node:events";
import { KafkaBroker } from "../support/kafka-broker.ts";

const kafka = await KafkaBroker.start();
console.log(`Kafka listens at ${kafka.bootstrap}. Ctrl-C ends it.`);
await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
await kafka.stop();
