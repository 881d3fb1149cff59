/** What an origin sends on an uplink, as the shard gets it. */
import type { Outgoing } from "../../origin/watch/outbox.ts";
import type { Message } from "../../shared/protocol/message.ts";

export function messageOf({ isText, pieces }: Outgoing): Message {
  const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
  return isText ? bytes.toString() : new Uint8Array(bytes);
}
