/**
 * How much may be unsent to one subscriber: S9 and M7 of PROTOCOL.md. A socket of one endpoint and a connection of many differ
 * in that.
 */
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { Peer } from "../peer.ts";
import type { Waiting } from "./subscription-states.ts";

export interface Pace<S> {
  /** Whether one that is live, or is told something, has left too much. `unsent`: what is unsent there now. */
  isBehind(socket: S, unsent: number): boolean;
  /** Whether one that waits must take more before it is sent what it waits for. */
  isFull(socket: S, kind: Waiting["kind"]): boolean;
  /** It was sent a piece of its past. */
  sentPast(socket: S): void;
}

/** On a socket of one endpoint: a past of any length fits through, piece by piece, each when the one before has left. */
export const OF_A_SOCKET: Pace<Peer> = {
  isBehind: (_, unsent) => unsent > LIMITS.subscriberBacklogBytes,
  isFull: (socket, kind) => kind === "lagging" && socket.bufferedAmount > LIMITS.subscriberBacklogBytes,
  // What is live behind it counts all the same.
  sentPast: () => undefined,
};
