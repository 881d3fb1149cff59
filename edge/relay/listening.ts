/**
 * What becomes of what a connection says: how much it may say (M10, S20 and W25 of PROTOCOL.md), and who acts on it. What the
 * frames are is for hearing.ts, or, on a socket of one endpoint, for ../endpoint/subscriber-frames.ts.
 */
import type { CloseName } from "../../shared/protocol/codes.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { Message } from "../../shared/protocol/message.ts";
import { Spending } from "../endpoint/connection-limits.ts";
import type { Publishes } from "../endpoint/publishes.ts";
import { answerFrames } from "../endpoint/subscriber-frames.ts";
import type { Tokens } from "../endpoint/tokens.ts";
import type { Connection } from "./connection.ts";
import type { Follows } from "./follows.ts";
import { type Hearing, hear } from "./hearing.ts";
import { speakerOf } from "./one-endpoint.ts";
import type { RelayConfig } from "./relay-ports.ts";

export type ListeningConfig = Pick<RelayConfig, "limits" | "bySender" | "publishBytes">;

export interface ListeningPorts {
  /** Milliseconds since 1970; they never go back. */
  now(): number;
  /** Whether there may be anything that it may publish to. */
  mayPublish(connection: Connection): boolean;
  readonly follows: Pick<Follows, "subscribe" | "unsubscribe">;
  readonly tokens: Pick<Tokens<Connection>, "renew" | "renewing">;
  readonly publishes: Pick<Publishes<Connection>, "publish">;
  tell(connection: Connection, frame: string): void;
  close(connection: Connection, name: CloseName): void;
}

export class Listening {
  readonly #ports: ListeningPorts;
  /** Of a message that publishes. */
  readonly #publishBytes: number;
  readonly #spending: Spending<Connection>;

  constructor({ limits, bySender, publishBytes }: ListeningConfig, ports: ListeningPorts) {
    this.#ports = ports;
    this.#publishBytes = publishBytes + LIMITS.publicationRoomBytes;
    this.#spending = new Spending(limits, { senderOf: ({ sender }) => sender, spending: bySender });
  }

  /** Returns whether anything was said but publishes, of which nothing is kept. */
  hear(connection: Connection, message: Message): boolean {
    const { only } = connection;
    const hearing = this.#hearingOf(connection);
    if (only === undefined) return hear(connection, message, hearing);
    answerFrames(
      message,
      speakerOf(connection, only, hearing, () => this.#ports.tokens.renewing(connection)),
    );
    return true;
  }

  #hearingOf(connection: Connection): Hearing {
    const ports = this.#ports;
    const { follows, tokens, publishes } = ports;
    const now = ports.now();
    const mayPublish = ports.mayPublish(connection);
    return {
      messageBytes: mayPublish ? this.#publishBytes : LIMITS.subscriberMessageBytes,
      // One that may not publish is asked for its frames, whatever they say.
      waitMs: (what, count) =>
        this.#spending.take(connection, what === "publishes" && !mayPublish ? "messages" : what, now, count),
      bears: () => this.#spending.bears(connection, now),
      subscribe: (said) => follows.subscribe(connection, said),
      unsubscribe: ({ id, endpoint }) => follows.unsubscribe(connection, endpoint, id),
      renew: ({ id, token }) => tokens.renew(connection, id, token),
      publish: (publication) => publishes.publish(connection, publication),
      tell: (frame) => ports.tell(connection, frame),
      close: (name) => ports.close(connection, name),
    };
  }
}
