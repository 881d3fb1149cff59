/** Lines between origins and Kafka that carry little: less than an answer of the usual size needs in any patience. */
import { eventually } from "../../support/deadline.ts";
import type { Kind } from "./kind.ts";

/** Of the line of each origin to all brokers together; a third of it is what is written to all topics. */
const BYTES_PER_SECOND = 250_000;
const VALUE_BYTES = 128 * 1024;
/** About 16 s of the line. */
const VALUES = 20;
const BACKLOG_MS = 100_000;
const KEY = "key-0";

export const SLOW_LINES: readonly Kind[] = [
  {
    name: "origin–Kafka slow with a backlog",
    perTenMinutes: 3,
    lastsMs: 20_000,
    // Who has no index would have to read everything over it, which takes minutes.
    parts: ["origin-kafka", "bulky", "brokers", "disk"],
    inject: async (rig, _, gone, late) => {
      const { bulky } = rig.population;
      // A backlog of one topic comes over one of the lines.
      const bytesPerSecond = BYTES_PER_SECOND - (BYTES_PER_SECOND / 3) * (1 - 1 / rig.settings.brokers);
      for (const proxy of rig.links.brokers) proxy.bytesPerSecond = bytesPerSecond;
      try {
        await rig.writer("bulky").burst(
          KEY,
          Array.from({ length: VALUES }, () => VALUE_BYTES),
        );
        const backlog = rig.targets().filter(({ subscriber }) => bulky.some((one) => one === subscriber));
        const isThere = () => backlog.every((target) => rig.isReached(target));
        await eventually(isThere, "a backlog comes over a slow line", BACKLOG_MS).catch((error: Error) =>
          late(`${error.message}: ${bytesPerSecond} bytes a second`),
        );
      } finally {
        for (const proxy of rig.links.brokers) proxy.bytesPerSecond = undefined;
      }
      gone();
    },
  },
];
