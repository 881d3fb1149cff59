/**
 * What one shard says of numbers of subscribers, and what it is asked and told for other edges: D6 of INTERNALS.md. What there is
 * to say in one turn of the loop leaves together.
 */
import { encodeAddressed } from "../../shared/protocol/addressed.ts";
import { encodeAlone } from "../../shared/protocol/counting.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages } from "../../shared/protocol/message.ts";
import type { ShardHello, ShardSays } from "../../shared/protocol/uplink.ts";
import type { CountPort, OccupancyExchange } from "../occupancy/exchange.ts";

type AboutCounts = Extract<ShardSays, { kind: "count" | "enough" | "counted" }>;

export function isAboutCounts(says: ShardSays): says is AboutCounts {
  return says.kind === "count" || says.kind === "enough" || says.kind === "counted";
}

export class ShardCounts implements CountPort {
  readonly #exchange: OccupancyExchange | undefined;
  readonly #edge: string;
  readonly #send: (messages: readonly Message[]) => void;
  readonly #frames: Frame[] = [];
  #saidAlone = false;

  /**
   * @param exchange undefined if numbers aren't told to other edges.
   * @param edge The shard's.
   * @param send To the shard; does nothing when the uplink is over.
   */
  constructor(
    exchange: OccupancyExchange | undefined,
    edge: string,
    send: (messages: readonly Message[]) => void,
  ) {
    this.#exchange = exchange;
    this.#edge = edge;
    this.#send = send;
  }

  /** What the hello says of it. */
  hello(): { readonly alone?: true } {
    this.#saidAlone = this.#exchange?.isAlone ?? false;
    return this.#saidAlone ? { alone: true } : {};
  }

  /** The shard has said hello, too. */
  connected(hello: ShardHello): void {
    this.#exchange?.connected(this, this.#edge, hello);
    const isAlone = this.#exchange?.isAlone ?? false;
    if (isAlone !== this.#saidAlone) this.say(encodeAlone(isAlone));
  }

  take(says: AboutCounts): void {
    if (says.kind === "counted") this.#exchange?.counted(this, says.endpoint, says.subscribers);
    else if (says.kind === "count") this.#exchange?.count(this, says.endpoint);
    else this.#exchange?.enough(this, says.endpoint);
  }

  ended(): void {
    this.#exchange?.ended(this);
  }

  say(frame: string): void {
    if (this.#frames.length === 0) setImmediate(() => this.#flush());
    this.#frames.push(encodeAddressed({ kind: "shard" }, frame));
  }

  #flush(): void {
    this.#send(packMessages(this.#frames.splice(0), LIMITS.batchBytes));
  }
}
