/** How the Worker becomes a subscriber of an endpoint's object for a client that speaks no WebSocket. */
import type { Message } from "../../../shared/protocol/message.ts";
import type { Position } from "../../../shared/protocol/position.ts";
import type { Env } from "../../env.ts";
import { closeQuietly, sendQuietly } from "../../peer.ts";
import type { Principal } from "../../principal.ts";
import { type Client, openWhereRoom } from "../opening.ts";
import { type Refusal, refusalOf } from "../refusal.ts";

export interface Endpoint {
  readonly path: string;
  readonly principal: Principal;
  readonly client: Client;
  /** Its client wants to know how many subscribers there are. */
  readonly occupancy?: true | undefined;
}

export interface JoinedEvents {
  message(message: Message): void;
  /** Comes once, and not after `leave`. */
  closed(code: number, reason: string): void;
}

export interface Joined {
  /** Nothing is heard before this. */
  listen(events: JoinedEvents): void;
  send(frame: string): void;
  leave(): void;
}

export async function join(
  env: Env,
  { path, principal, client, occupancy }: Endpoint,
  from: Position | undefined,
): Promise<Joined | Refusal> {
  const answer = await openWhereRoom(env, path, client, from, undefined, principal, { occupancy });
  const { webSocket } = answer;
  return webSocket === null ? refusalOf(answer) : joined(webSocket);
}

function joined(socket: WebSocket): Joined {
  let isOver = false;
  return {
    listen(events) {
      const over = (code: number, reason: string) => {
        if (isOver) return;
        isOver = true;
        events.closed(code, reason);
      };
      socket.addEventListener("message", ({ data }) => {
        if (!isOver) events.message(typeof data === "string" ? data : new Uint8Array(data));
      });
      socket.addEventListener("close", ({ code, reason }) => over(code, reason));
      socket.addEventListener("error", () => over(1006, ""));
      // Blobs, the default, could be read only later, out of order.
      socket.binaryType = "arraybuffer";
      socket.accept();
    },
    send: (frame) => void sendQuietly(socket, frame),
    leave() {
      if (isOver) return;
      isOver = true;
      closeQuietly(socket, 1000);
    },
  };
}
