/** How fast an origin reads what it has missed, beside kafkajs's consumer on the same topic. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { nowUs } from "../clock.ts";
import type { Consumed } from "../floor/consumer.ts";
import { type Backlog, type CaughtUp, perRecord, type Starts, startOrigins, withBacklog } from "./backlog.ts";
import { BASE, type Context } from "./context.ts";

export interface CatchUp extends Starts, Omit<Backlog, "topic"> {
  readonly consumer: CaughtUp & { readonly readingSeconds: number };
  /** Records per second of the origin, as a share of the consumer's. */
  readonly share: number;
}

export function catchUp(context: Context): Promise<CatchUp> {
  const { kafka, progress } = context;
  return withBacklog(context, BASE.partitions, async (backlog) => {
    progress("reading them with kafkajs's consumer");
    const consumer = await consume(kafka.brokers, backlog);
    progress("reading them with an origin");
    const starts = await startOrigins(backlog, kafka, 1);
    const share = starts.cold.recordsPerSecond / consumer.recordsPerSecond;
    const { topic: _, ...rest } = backlog;
    return { ...rest, ...starts, consumer, share };
  });
}

async function consume(brokers: readonly string[], { topic, records }: Backlog) {
  const since = nowUs();
  const script = join(import.meta.dirname, "../floor/consumer.ts");
  const child = fork(script, [brokers.join(","), topic, String(records)]);
  const ended = once(child, "exit");
  const [consumed] = (await Promise.race([
    once(child, "message"),
    ended.then(() => Promise.reject(new Error("the consumer ended"))),
  ])) as [Consumed];
  const seconds = (nowUs() - since) / 1e6;
  child.kill("SIGKILL");
  await ended;
  return { ...perRecord(seconds, consumed.cpuUs, records), readingSeconds: consumed.readingMs / 1_000 };
}
