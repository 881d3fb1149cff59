/** Which versions others have that speak Kafka's protocol, each as told in public; docs/kafka.md names where. */
import type { Caps } from "./capped-proxy.ts";

/** Of requests that all of them have, and tests or kafkajs need besides. */
const COMMON: Caps = { 17: [0, 1], 18: [0, 3], 36: [0, 1] };

/** https://github.com/platformatic/kafka/issues/51, and redpanda-data/redpanda#17829 of ListOffsets. */
export const REDPANDA: Caps = {
  ...COMMON,
  0: [0, 7],
  1: [4, 11],
  2: [0, 4],
  3: [0, 7],
  10: [0, 3],
  22: [0, 3],
  24: [0, 1],
  26: [0, 1],
  32: [0, 2],
};

/** https://github.com/oliveigah/klife/issues/13 */
export const EVENT_HUBS: Caps = { ...COMMON, 0: [0, 7], 1: [4, 6], 2: [0, 8], 3: [0, 5], 10: [0, 4] };
