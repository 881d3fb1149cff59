/** An uplink of which what leaves the origin is kept until it is taken, addresses apart. */
import type { ShardPort } from "../../origin/watch/outbox.ts";
import { decodeAddressed } from "../../shared/protocol/addressed.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";

export class VouchingUplink implements ShardPort {
  congested = false;
  isAwake = false;
  readonly frames: Frame[] = [];

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      const items = typeof message === "string" ? splitText(message) : (splitBinary(message) ?? []);
      for (const item of items) {
        const addressed = decodeAddressed(item);
        if (addressed?.to.kind === "links") this.frames.push(addressed.frame);
      }
    }
  }

  soon(run: () => void): void {
    run();
  }

  wake(): void {
    this.isAwake = true;
  }
}
