/** Waiting for the next state of an endpoint whose latest is known: H13 of PROTOCOL.md. Pure. */
import type { Message } from "../../../shared/protocol/message.ts";
import { formatPosition, type Position } from "../../../shared/protocol/position.ts";
import type { LatestResult } from "../../shard/answering/latest.ts";
import type { Follower } from "./follower.ts";
import { Receiver } from "./receiver.ts";

export class News implements Follower {
  readonly #receiver: Receiver;
  /** `ask`: there may be something, and only a question tells what. */
  found: LatestResult | "nothing" | "ask" = "nothing";

  constructor(endpoint: string, known: Position | undefined) {
    this.#receiver = new Receiver(endpoint, known);
  }

  isDone(): boolean {
    return this.found !== "nothing";
  }

  canTell(): boolean {
    return true;
  }

  hear(message: Message): readonly string[] {
    const asks: string[] = [];
    for (const told of this.#receiver.hear(message)) {
      if (told.kind === "gap") asks.push(told.ask);
      // After a loss the latest record comes, even if it is the one that is known.
      else if (told.kind === "ended" || told.kind === "reset") this.found = "ask";
      else if (told.kind === "verdict" && told.verdict.recovered === false) this.found = "ask";
      else if (told.kind === "update" && this.found !== "ask") {
        const position = formatPosition(this.#receiver.position);
        this.found = { kind: "update", position, oldest: undefined, frame: told.frame, value: undefined };
      }
    }
    return asks;
  }
}
