/** Whether a key has no record, as far as the origins say: its subscribers wait in a room then (L16 of INTERNALS.md). */
import type { LatestResult } from "../shard/answering/latest.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** False if nobody says so in time: the endpoint's own object is right for any key. */
export function hasNoRecord(
  asked: Promise<Pick<LatestResult, "kind">>,
  after: (ms: number, run: () => void) => () => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (hasNone: boolean) => {
      cancel();
      resolve(hasNone);
    };
    const cancel = after(TIME_LIMITS.noRecordMs, () => end(false));
    asked.then(
      ({ kind }) => end(kind === "none"),
      () => end(false),
    );
  });
}
