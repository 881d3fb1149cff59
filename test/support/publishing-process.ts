/** An origin's publishing as a process of its own, to be stopped and killed: publishes until another has the partition. */

import { KafkaSink } from "../../origin/kafka/sink.ts";
import { Marker } from "../../origin/publish/mark.ts";
import { Publisher } from "../../origin/publish/publisher.ts";

const [broker = "", topic = "", secret = "", untilMs = ""] = process.argv.slice(2);
const DEADLINE_MS = 60_000;
/** So many are under way at any time. */
const UNDER_WAY = 50;

const sink = new KafkaSink({ brokers: [broker], clientId: "stopped" }, { publishId: "test" });
const publisher = new Publisher({ sink, marker: new Marker([Buffer.from(secret, "hex")]) });
let sent = 0;

async function publishOn(): Promise<void> {
  for (;;) {
    const begun = Date.now();
    const value = `stopped:${sent++}@${begun}`;
    const result = await publisher.publish({
      topic,
      key: Buffer.from("key"),
      value: Buffer.from(value),
      headers: [],
      id: { issuer: "i", subject: "s", key: value, chosenBy: "client" },
      deadline: performance.now() + DEADLINE_MS,
      until: untilMs === "" ? Number.POSITIVE_INFINITY : begun + Number(untilMs),
    });
    const outcome = "position" in result ? result.position : result.error.code;
    process.stdout.write(`${value} ${outcome}\n`);
    if (outcome === "not_writer") return;
  }
}

await Promise.all(Array.from({ length: UNDER_WAY }, publishOn));
await publisher.close();
process.stdout.write("resigned\n");
