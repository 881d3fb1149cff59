/** Lines between origins and Kafka that carry little: less than an answer of the usual size needs in any patience. */
import { eventually } from "../../support/deadline.ts";
import type { Kind } from "./kind.ts";

/** All that is written to the topics takes about a third of it. */
const BYTES_PER_SECOND = 150_000;
const VALUE_BYTES = 128 * 1024;
/** About 20 s of the line for each origin that reads. */
const VALUES_FOR_EACH = 12;
const PATIENCE_MS = 100_000;
const KEY = "key-0";

export const SLOW_LINES: readonly Kind[] = [
  {
    name: "origin–Kafka slow, with a backlog",
    perTenMinutes: 4,
    lastsMs: 35_000,
    parts: ["origin-kafka", "bulky", "brokers"],
    inject: async (rig, _, gone) => {
      const { bulky } = rig.population;
      const isThere = () =>
        rig
          .targets()
          .filter(({ subscriber }) => bulky.some((one) => one === subscriber))
          .every((target) => rig.isReached(target));
      for (const proxy of rig.links.brokers) proxy.bytesPerSecond = BYTES_PER_SECOND;
      try {
        await rig.writer("bulky").burst(
          KEY,
          Array.from({ length: VALUES_FOR_EACH }, () => VALUE_BYTES),
        );
        await eventually(isThere, "a backlog comes over a slow line", PATIENCE_MS).catch((error: Error) =>
          rig.wrong.push(`${error.message}: ${BYTES_PER_SECOND} bytes a second`),
        );
      } finally {
        for (const proxy of rig.links.brokers) proxy.bytesPerSecond = undefined;
      }
      gone();
    },
  },
];
