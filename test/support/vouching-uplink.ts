/** An uplink of which what leaves the origin is kept until it is taken, addresses apart. */
import type { Outgoing, ShardPort } from "../../origin/watch/outbox.ts";
import { decodeAddressed } from "../../shared/protocol/addressed.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { splitBinary, splitText } from "../../shared/protocol/message.ts";
import { messageOf } from "./outgoing.ts";

export class VouchingUplink implements ShardPort {
  congested = false;
  isAwake = false;
  readonly frames: Frame[] = [];

  send(messages: readonly Outgoing[]): void {
    for (const message of messages.map(messageOf)) {
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
