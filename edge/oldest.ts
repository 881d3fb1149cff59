/** Where the history of an endpoint begins, as its source says: S16 of PROTOCOL.md. */
import { parseLongPosition } from "../shared/protocol/position.ts";
import type { Env } from "./env.ts";
import { encodePrincipal, type Principal } from "./principal.ts";
import type { OldestResult } from "./relay/oldest.ts";
import { shardStubOf } from "./routing.ts";

/** Asks for it, as for a GET. */
export async function oldestOf(env: Env, path: string, principal: Principal): Promise<OldestResult> {
  const latest = await shardStubOf(env, path).latest(path, encodePrincipal(principal), true);
  if (latest.kind === "error") return { code: latest.code, message: latest.message };
  const oldest = latest.oldest === undefined ? undefined : parseLongPosition(latest.oldest);
  return oldest ?? { code: "unavailable", message: "the source can't say where this history begins" };
}
