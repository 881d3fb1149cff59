/** How old the answer to a GET may be, by its stream and by what the request says; and what the answer says of that (H15). */

import type { Stream } from "../../shared/config/streams.ts";
import { tagsIn } from "../../shared/protocol/entity-tags.ts";
import { parseLongPosition, reaches } from "../../shared/protocol/position.ts";
import type { Principal } from "../principal.ts";
import type { LatestResult } from "../shard/answering/latest.ts";

export interface Reuse {
  /** Anybody's answer may be reused for so long. */
  readonly maxAgeMs: number;
  /** This request takes none that is older. */
  readonly wantedMs: number;
}

/** undefined: the answer is for nobody else, or each is to be asked for. */
export function reuseOf(
  headers: Headers,
  stream: Pick<Stream, "subscribe" | "maxAgeSeconds"> | undefined,
  principal: Principal,
): Reuse | undefined {
  if (principal.kind !== "public" || stream?.subscribe !== "public" || stream.maxAgeSeconds === 0)
    return undefined;
  const maxAgeMs = stream.maxAgeSeconds * 1_000;
  return { maxAgeMs, wantedMs: Math.min(maxAgeMs, wantedBy(headers)) };
}

function wantedBy(headers: Headers): number {
  const wanted = `${headers.get("Cache-Control") ?? ""},${headers.get("Pragma") ?? ""}`.toLowerCase();
  if (/(^|[,\s])no-(cache|store)([,\s]|$)/.test(wanted)) return 0;
  const [, seconds] = /(?:^|[,\s])max-age\s*=\s*"?(\d{1,9})/.exec(wanted) ?? [];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1_000;
}

/** Whether whoever asks has seen more than this: that would lead it back. */
export function isBehind(latest: LatestResult, ifNoneMatch: string | null): boolean {
  if (ifNoneMatch === null || latest.kind === "error") return false;
  const position = parseLongPosition(latest.position);
  return tagsIn(ifNoneMatch).some((tag) => {
    const seen = parseLongPosition(tag);
    return seen !== undefined && (position === undefined || !reaches(position, seen));
  });
}

/** Ages are rounded up, so that nobody down the line keeps it for too long. */
export function withAge(answer: Response, { maxAgeMs }: Reuse, ageMs: number): Response {
  const { headers } = answer;
  if (headers.get("Cache-Control") === "no-cache")
    headers.set("Cache-Control", `max-age=${maxAgeMs / 1_000}`);
  headers.set("Age", String(Math.ceil(ageMs / 1_000)));
  // Of the same URL there are event streams, too.
  headers.append("Vary", "Accept");
  return answer;
}
