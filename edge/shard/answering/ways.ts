/** Which way questions come to the origins of a shard: the one place that looks at how many share the partitions. */
import { WHOLE } from "../../../shared/protocol/slice.ts";
import type { Answering, AnsweringPorts } from "./answering.ts";
import { DirectAttaches, DirectGets } from "./direct.ts";
import type { Get } from "./latest.ts";
import { ScatterGather } from "./scatter-gather.ts";
import { ScatteredGets } from "./scattered-gets.ts";

/**
 * The way for so many slices. None of them has an active origin yet.
 * @param open What was put to others, and not answered.
 */
export function wayFor(count: number, ports: AnsweringPorts, open: Iterable<Get>): Answering {
  if (count === WHOLE.count)
    return { attaches: new DirectAttaches(ports), gets: new DirectGets(ports, open) };
  return { attaches: new ScatterGather(ports, count), gets: new ScatteredGets(ports, count, open) };
}
