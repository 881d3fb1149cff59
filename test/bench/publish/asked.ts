/** Dials what plays a shard (shard.ts). */
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Message } from "../../../shared/protocol/message.ts";

/** @param take Of a message of publishes. Returns what sends answers. */
export async function dial(
  url: string,
  take: (message: Uint8Array<ArrayBuffer>) => void,
): Promise<(messages: readonly Message[]) => void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("message", (data: Buffer) => take(new Uint8Array(data)));
  await once(socket, "open");
  return (messages) => {
    for (const message of messages) socket.send(message);
  };
}
