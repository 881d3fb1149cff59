import { expect, test } from "vitest";
import { Troubles } from "../../../origin/operate/troubles.ts";
import { RecordedLog } from "../../support/recorded-log.ts";

function told(body: (troubles: Troubles) => void): string[] {
  const recorded = new RecordedLog();
  body(new Troubles(recorded.log));
  return recorded.events.map(({ event, fields }) => `${event} ${fields.message ?? fields.was}`);
}

test("a reason is told of once, until it is over for all whom it befell; then its end, once", () => {
  const events = told((troubles) => {
    for (const who of ["a", "b", "a"]) troubles.befall(who, "partition_failed", { message: "down" });
    troubles.befall("a", "topic_unreadable", { message: "denied" });
    troubles.over("a");
    troubles.over("b");
    troubles.over("b");
    troubles.befall("a", "partition_failed", { message: "down" });
  });

  expect(events).toEqual([
    "partition_failed down",
    "still_failing down",
    "still_failing down",
    "topic_unreadable denied",
    "trouble_over denied",
    "trouble_over down",
    "partition_failed down",
  ]);
});

test("reasons without end flood neither the log nor the memory", () => {
  const events = told((troubles) => {
    for (let i = 0; i < 1_000; i++) troubles.befall("a", "partition_failed", { message: String(i) });
  });

  expect(events.filter((event) => event.startsWith("partition_failed"))).toHaveLength(100);
});
