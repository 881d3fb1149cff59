/** A socket of which a test sees what was done to it. */
import { serialize } from "node:v8";
import type { HibernatingPeer } from "../../edge/peer.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";

export class FakeSocket implements HibernatingPeer {
  bufferedAmount = 0;
  /** As they were handed over. */
  readonly messages: Message[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** How often the attachment was written. */
  saves = 0;
  #attachment: unknown;

  /** All frames, those of control as objects. */
  get frames(): unknown[] {
    return this.messages.flatMap((message): unknown[] => {
      if (typeof message !== "string") return splitBinary(message) ?? [];
      return splitText(message).map((frame) => (frame.startsWith('{"e":') ? frame : JSON.parse(frame)));
    });
  }

  /** What came since this was last called. */
  take(): unknown[] {
    const { frames } = this;
    this.messages.length = 0;
    return frames;
  }

  send(message: Message): void {
    if (this.closed !== undefined) throw new Error("the socket is closed");
    this.messages.push(message);
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  serializeAttachment(attachment: unknown): void {
    const bytes = serialize(attachment).length;
    if (bytes > 16_384) throw new Error(`an attachment of ${bytes} bytes`);
    this.saves++;
    this.#attachment = structuredClone(attachment);
  }

  deserializeAttachment(): unknown {
    return structuredClone(this.#attachment);
  }
}
