/**
 * What goes out to the connections of a relay. It is kept until the event ends that brought it, so that what comes together leaves
 * in one message, and is bounded as all that is sent (S9 and M7 of PROTOCOL.md).
 */
import type { Message } from "../../shared/protocol/message.ts";
import type { SubscribersPorts } from "../endpoint/subscribers.ts";
import { LARGE_BYTES, Unsent, type UnsentPorts } from "../endpoint/unsent.ts";
import type { Connection } from "./connection.ts";

export interface SendingPorts extends Omit<UnsentPorts<Connection>, "unsentBytes"> {
  /** Messages that went out. */
  sent(messages: number): void;
}

export class Sending {
  readonly #ports: SendingPorts;
  readonly #unsent: Unsent<Connection>;
  /** Those with something to be sent when the event ends. */
  readonly #waiting: Connection[] = [];
  /** A connection has something to be sent. */
  readonly waits = (connection: Connection) => this.#waiting.push(connection);
  /** A message left; `before`: what was unsent before that. */
  readonly #left = (connection: Connection, message: Message, before: number) => {
    if (before > 0 || message.length > LARGE_BYTES) this.#unsent.sent(connection, before);
    // Shows whether anybody is there to take it.
    else if (connection.isUntried) this.#unsent.sentFirst(connection);
    connection.isUntried = false;
  };

  /** @param unsentBytes What may be unsent of all objects of the isolate. */
  constructor(unsentBytes: number, ports: SendingPorts) {
    this.#ports = ports;
    this.#unsent = new Unsent({
      unsentBytes,
      now: () => ports.now(),
      after: (ms, run) => ports.after(ms, run),
      close: (connection, name) => ports.close(connection, name),
    });
  }

  /** For endpoint states: what they send is counted when it leaves, and whoever leaves one of them is still there. */
  get ofStates(): SubscribersPorts<Connection>["unsent"] {
    const unsent = this.#unsent;
    return {
      get hasRoom() {
        return unsent.hasRoom;
      },
      sent: () => undefined,
      sentFirst: () => undefined,
      remove: () => undefined,
    };
  }

  /** Bounded as all that is sent: who asks much and reads nothing is cut off. */
  tell(connection: Connection, frame: string): void {
    if (connection.isBehind(connection.bufferedAmount)) this.#ports.close(connection, "slow_consumer");
    else connection.send(frame);
  }

  /** What one was to be sent goes before its close. */
  flush(connection: Connection): void {
    const sent = connection.flush(this.#left);
    if (sent > 0) this.#ports.sent(sent);
  }

  /** The event ends. This is done once for each update and connection, so nothing is made for that. */
  flushAll(): void {
    const waiting = this.#waiting;
    let sent = 0;
    for (const connection of waiting) if (connection.isOpen) sent += connection.flush(this.#left);
    waiting.length = 0;
    if (sent > 0) this.#ports.sent(sent);
  }

  /** It is closed. */
  remove(connection: Connection): void {
    this.#unsent.remove(connection);
  }
}
