/**
 * What one shard wants published, and what it is answered: W6 of INTERNALS.md. What was appended together is answered
 * together.
 */
import { encodeAddressed } from "../../shared/protocol/addressed.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages, splitBinary } from "../../shared/protocol/message.ts";
import { decodePublish, encodePublished, type PublishRequest } from "../../shared/protocol/publish.ts";
import type { PublishDoor } from "../publish/door.ts";
import { refusal } from "../publish/result.ts";

const NOT_HERE = refusal("unavailable", "this source takes no publishes");

export class ShardPublishes {
  readonly #door: PublishDoor | undefined;
  readonly #send: (messages: readonly Message[]) => void;
  /** Answers that are about to leave. */
  readonly #answers: Frame[] = [];

  /**
   * @param door undefined if this origin publishes nothing.
   * @param send To the shard; does nothing when the uplink is over. It then asks again on another one, with the same id.
   */
  constructor(door: PublishDoor | undefined, send: (messages: readonly Message[]) => void) {
    this.#door = door;
    this.#send = send;
  }

  /** Takes a message of publishes. Returns what is wrong with it, if it can't be read. */
  take(message: Uint8Array<ArrayBuffer>): string | undefined {
    const frames = splitBinary(message);
    if (frames === undefined) return "the shard sent bytes that aren't frames";
    for (const frame of frames) {
      const publish = decodePublish(frame);
      if (!publish.ok) return `the shard sent what can't be read: ${publish.problem}`;
      void this.#publish(publish.value);
    }
    return undefined;
  }

  /** Never rejects. */
  async #publish(request: PublishRequest): Promise<void> {
    const result = await (this.#door?.take(request) ?? NOT_HERE);
    if (this.#answers.length === 0) setImmediate(() => this.#answer());
    this.#answers.push(encodeAddressed({ kind: "shard" }, encodePublished(request.id, result)));
  }

  #answer(): void {
    this.#send(packMessages(this.#answers.splice(0), LIMITS.batchBytes));
  }
}
