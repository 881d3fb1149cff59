/** A subscription that lasts as long as an answer takes. */
import { CLOSE, closeReason } from "../../../shared/protocol/codes.ts";
import type { Position } from "../../../shared/protocol/position.ts";
import type { Env } from "../../env.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import type { Follower } from "./follower.ts";
import { type Endpoint, join } from "./joining.ts";

export type FollowEnd =
  | { readonly kind: "done" | "late" }
  | { readonly kind: "closed"; readonly code: number; readonly reason: string };

/**
 * Follows an endpoint until the follower has what it wants, for so many milliseconds at most; for a little longer if it couldn't
 * tell anything yet.
 */
export async function follow(
  env: Env,
  endpoint: Endpoint,
  from: Position | undefined,
  ms: number,
  follower: Follower,
): Promise<FollowEnd> {
  const joined = await join(env, endpoint, from);
  if ("code" in joined)
    return { kind: "closed", code: CLOSE[joined.code], reason: closeReason(joined.code, joined.message) };
  return new Promise((resolve, reject) => {
    const end = (how: FollowEnd) => {
      clearTimeout(timer);
      joined.leave();
      resolve(how);
    };
    const late = () => end({ kind: "late" });
    let timer = setTimeout(() => {
      if (follower.canTell()) late();
      else timer = setTimeout(late, Math.max(0, TIME_LIMITS.pollPageMs - ms));
    }, ms);
    joined.listen({
      message(message) {
        try {
          for (const frame of follower.hear(message)) joined.send(frame);
          if (follower.isDone()) end({ kind: "done" });
        } catch (error) {
          clearTimeout(timer);
          joined.leave();
          reject(error);
        }
      },
      closed: (code, reason) => end({ kind: "closed", code, reason }),
    });
  });
}
