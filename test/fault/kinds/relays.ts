/** What befalls relays, which hold many endpoints for connections that follow many. */
import { RELAYS } from "../edge-process.ts";
import { doneByOthers } from "../not-injected.ts";
import type { Kind } from "./kind.ts";

const befalls = (name: string, hook: string, perTenMinutes: number): Kind => ({
  name,
  perTenMinutes,
  lastsMs: 300,
  parts: ["edge"],
  inject: async ({ edge }, random) => {
    await doneByOthers(edge.hook(hook, { relay: String(Math.floor(random() * RELAYS)) }));
  },
});

export const RELAY_KINDS: readonly Kind[] = [
  befalls("eviction of a relay", "evict", 45),
  befalls("crash of a relay", "crash", 45),
  befalls("links between a relay and the shards cut", "cut-links", 45),
];
