/** What `npm start` shows of how the origin catches up, from what the origin tells it. Pure. */
import * as v from "valibot";

const Count = v.number();

/** Events of origin/operate/log.ts, with their fields. */
const Told = v.variant("event", [
  v.object({
    event: v.literal("topic_found"),
    topic: v.string(),
    partitions: Count,
    from: v.string(),
    records: Count,
  }),
  v.object({
    event: v.literal("catching_up"),
    topics: v.array(v.string()),
    others: v.optional(Count),
    done: Count,
    total: Count,
    perSecond: Count,
    secondsLeft: Count,
  }),
  v.object({ event: v.literal("topic_caught_up"), topic: v.string(), records: Count, seconds: Count }),
]);

/** A line for people; undefined if there is nothing to show. */
export function progressLine(message: unknown): string | undefined {
  const result = v.safeParse(Told, message);
  if (!result.success) return undefined;
  const told = result.output;
  switch (told.event) {
    case "topic_found":
      if (told.records === 0) return undefined;
      return `${told.topic}: up to ${grouped(told.records)} records to read in ${plural(told.partitions, "partition")}, from ${from(told.from)}`;
    case "catching_up": {
      const names = told.topics.join(", ") + (told.others === undefined ? "" : ` and ${told.others} more`);
      return `${names}: ${grouped(told.done)} of up to ${grouped(told.total)} records read, ${grouped(told.perSecond)} a second, about ${duration(told.secondsLeft)} left`;
    }
    case "topic_caught_up":
      return `${told.topic}: caught up with, ${grouped(told.records)} records in ${told.seconds} s`;
  }
}

function from(start: string): string {
  if (start === "index") return "where the index ends";
  if (start === "earliest") return "the oldest on";
  return start === "latest" ? "the end on" : `${start} back on`;
}

const grouped = (count: number) => count.toLocaleString("en-US");

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
