/** An origin's process that is stopped while it publishes, and wakes: on a real Kafka, of each release. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../../support/deadline.ts";
import type { KafkaOptions } from "../../support/kafka-broker.ts";
import { LONG } from "../../support/long.ts";
import { PUBLISH_SECRET, publishingWorld } from "../../support/publishing-world.ts";
import { publishOf, recordsIn } from "../../support/sink-contract.ts";
import {
  describeWithKafka,
  describeWithOldestKafka,
  describeWithOldKafka,
} from "../../support/with-kafka.ts";

describeWithKafka("a publisher of Kafka 4.3 that is stopped and wakes:", () => wakes({}));
if (LONG) {
  await describeWithOldKafka("a publisher of Kafka 3.9 that is stopped and wakes:", () =>
    wakes({ old: true }),
  );
  await describeWithOldestKafka("a publisher of Kafka 3.1 that is stopped and wakes:", () =>
    wakes({ old: "oldest", config: { "inter.broker.protocol.version": "3.1" } }),
  );
}

function wakes(options: KafkaOptions): void {
  const own = publishingWorld(options);
  let child: ChildProcess | undefined;

  afterEach(() => {
    child?.kill("SIGKILL");
  });

  /** @param untilMs For so long after it was begun a publish may be written. */
  async function publishing(topic: string, untilMs?: number) {
    const script = join(import.meta.dirname, "../../support/publishing-process.ts");
    const args = [script, own.direct(), topic, PUBLISH_SECRET.toString("hex"), String(untilMs ?? "")];
    const started = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    child = started;
    const outcomes = new Map<string, string>();
    const lines = createInterface(started.stdout);
    const ended = once(lines, "close");
    lines.on("line", (line) => {
      const [value = "", outcome = ""] = line.split(" ");
      outcomes.set(value, outcome);
    });
    await eventually(() => outcomes.size > 200, "it publishes");
    return { child: started, outcomes, ended };
  }

  async function valuesOf(topic: string): Promise<readonly string[]> {
    const records = await recordsIn(own.source, topic);
    return records.map(({ value }) => String(value && Buffer.from(value)));
  }

  test("appends nothing after another has taken over, and no publish of its is lost or doubled", async () => {
    const topic = await own.newTopic();
    const { child, outcomes, ended } = await publishing(topic);
    child.kill("SIGSTOP");

    const after = own.open();
    const next = await after.publish(publishOf(topic, { value: Buffer.from("next") }));
    child.kill("SIGCONT");
    await ended;
    await after.publish(publishOf(topic, { value: Buffer.from("last") }));

    const records = await recordsIn(own.source, topic);
    const values = await valuesOf(topic);
    const [info] = (await own.source.describe(topic)) ?? [];
    const positions = new Map(records.map(({ offset }, i) => [values[i] ?? "", `${info?.epoch}:${offset}`]));
    expect(outcomes.has("resigned")).toBe(true);
    expect(values.slice(values.indexOf("next"))).toEqual(["next", "last"]);
    expect("position" in next && next.position).toBe(positions.get("next"));
    expect(new Set(values).size).toBe(values.length);
    for (const [value, outcome] of outcomes)
      if (outcome.includes(":")) expect(positions.get(value)).toBe(outcome);
      else if (outcome === "not_writer") expect(positions.has(value)).toBe(false);
  }, 120_000);

  test("appends nothing that was begun before, once its time is over, though nobody has taken over", async () => {
    const UNTIL_MS = 1_000;
    const topic = await own.newTopic();
    const { child, outcomes } = await publishing(topic, UNTIL_MS);
    child.kill("SIGSTOP");
    // What is in a connection already comes in.
    await setTimeout(2 * UNTIL_MS);
    const before = await valuesOf(topic);
    const heard = outcomes.size;

    const wokenAt = Date.now();
    child.kill("SIGCONT");
    await eventually(() => outcomes.size > heard + 200, "it publishes on");

    const later = (await valuesOf(topic)).slice(before.length);
    const begun = later.map((value) => Number(value.split("@")[1]));
    expect(later.length).toBeGreaterThan(0);
    expect(begun.filter((at) => at < wokenAt)).toEqual([]);
    for (const [value, outcome] of outcomes)
      if (outcome === "unavailable") expect([...before, ...later]).not.toContain(value);
  }, 120_000);
}
