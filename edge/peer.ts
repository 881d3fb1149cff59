/**
 * What the cores need of a WebSocket. A platform socket is one as it stands, so the hot path has no wrapper;
 * tests bring their own.
 */
import { CLOSE, type CloseName } from "../shared/protocol/codes.ts";
import type { Message } from "../shared/protocol/message.ts";

export interface Peer {
  /** Bytes queued and not yet handed to the network; `send` itself never blocks and never refuses. */
  readonly bufferedAmount: number;
  send(message: Message): void;
  close(code: number, reason: string): void;
}

/** A server-side socket: what is written to its attachment outlives the memory of its object. */
export interface HibernatingPeer extends Peer {
  /** At most 16,384 bytes once serialized; throws past that. */
  serializeAttachment(attachment: unknown): void;
  deserializeAttachment(): unknown;
}

/**
 * Closes with a close code of the protocol by its name, or with a bare code. Closing a socket that has gone
 * meanwhile throws; its close event is on its way anyway.
 */
export function closeQuietly(peer: Peer, code: CloseName | number): void {
  try {
    if (typeof code === "number") peer.close(code, "");
    else peer.close(CLOSE[code], code);
  } catch {
    // Already closed.
  }
}

/** The code to answer a close with: of WebSocket's own codes most only report, and sending them throws. */
export function closeCode(received: number): number {
  return received >= 3000 && received <= 4999 ? received : 1000;
}

/** Whether the message was handed over. */
export function sendQuietly(peer: Peer, message: Message): boolean {
  try {
    peer.send(message);
    return true;
  } catch {
    return false;
  }
}
