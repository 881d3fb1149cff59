/** What choosing.ts, and what goes on from it (requests/detour.ts), know of a dial. */
import type { Clock } from "./clock.ts";
import type { SocketEvents, Transport, Way } from "./transport.ts";

/** A WebSocket that takes longer to open may be one that never will: requests are tried instead. */
export const PATIENCE_MS = 3_000;
/** For so long no WebSocket is tried. */
export const REMEMBERED_MS = 10 * 60_000;

/** What did last, in place of a WebSocket. `key`: by which the session of a page knows it. */
export interface Memory {
  readonly key: string;
  /** `events` unless it says otherwise. */
  way?: Way;
  /** Milliseconds since 1970. Until then no WebSocket is tried. */
  until?: number;
  /** Connections in a row that opened and on which nothing ever came. */
  mute: number;
}

export interface Dial {
  readonly first: Transport;
  readonly url: string;
  readonly token: string;
  readonly clock: Clock;
  readonly events: SocketEvents;
  readonly memory: Memory;
}

/** `remembered`: no WebSocket was tried. */
export type Failure = "remembered" | "closed" | "late";
