/** Whether a subscriber of a key of which nothing is known is to wait in a room: L16 of INTERNALS.md. */
import type { LatestResult } from "../shard/answering/latest.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** @param latest What the shard says of the key's latest record. If it says nothing in time, the endpoint's own object is right for any key. */
export function isForARoom(
  latest: Promise<LatestResult>,
  after: (ms: number, run: () => void) => () => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isForOne: boolean) => {
      cancel();
      resolve(isForOne);
    };
    const cancel = after(TIME_LIMITS.noRecordMs, () => end(false));
    latest.then(
      (said) => end(hasNoRecord(said)),
      () => end(false),
    );
  });
}

/** So it is taken to be if more is asked than can be answered: else that would get each key what it would have with a record. */
function hasNoRecord(said: LatestResult): boolean {
  return said.kind === "none" || (said.kind === "error" && said.code === "overloaded");
}
