/**
 * A client in a room: it follows one endpoint, by a socket that says what the socket of an endpoint's own object would (S1–S9,
 * S17–S20, W21–W25 of PROTOCOL.md), and knows nothing of rooms. L16 of INTERNALS.md.
 */
import { encodeRateLimited } from "../../shared/protocol/subscriber.ts";
import type { Speaker } from "../endpoint/subscriber-frames.ts";
import type { Connection } from "./connection.ts";
import type { Hearing } from "./hearing.ts";

/** @param renewing The id of a renewal that is under way. */
export function speakerOf(
  connection: Connection,
  path: string,
  hearing: Hearing,
  renewing: () => number | undefined,
): Speaker {
  return {
    path,
    messageBytes: hearing.messageBytes,
    lastId: () => {
      const id = connection.isOpen ? connection.follows.get(path)?.id : undefined;
      return id === undefined ? undefined : Math.max(id, renewing() ?? id);
    },
    waitMs: (what, count) => hearing.waitMs(what, count),
    refuse(id, waitMs) {
      if (hearing.bears()) hearing.tell(encodeRateLimited(id, waitMs));
      else hearing.close("rate_limited");
    },
    subscribe: (id, from, occupancy) =>
      hearing.subscribe({ kind: "subscribe", endpoint: path, id, from, occupancy }),
    renew: (id, token) => hearing.renew({ kind: "renew", id, token }),
    publish: (publication) => hearing.publish(publication),
    send: (frame) => hearing.tell(frame),
    close: (name) => hearing.close(name),
  };
}
