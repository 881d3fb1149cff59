/** What Kafka's topics are told by: in positions, and in requests. */
import { epochOf, epochOfName } from "../source/epoch.ts";
import type { TopicMetadata } from "./requests.ts";

type Identified = Pick<TopicMetadata, "id" | "hasOwnId">;

export function epochIn({ id, hasOwnId }: Identified, partition: number): string {
  return hasOwnId ? epochOf(id, partition) : epochOfName(id, partition);
}

/** By which brokers know it; undefined if they know it by its name only. */
export function ownIdOf({ id, hasOwnId }: Identified): Buffer | undefined {
  return hasOwnId ? id : undefined;
}
