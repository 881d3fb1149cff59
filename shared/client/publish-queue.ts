/**
 * What a client has published and has no outcome of, in the order of its calls, and which of it may be sent next (W28). Whatever
 * happens to one of them, the others aren't gone through.
 */
import { Ordered } from "../core/ordered.ts";
import type { ErrorBody } from "../protocol/error-body.ts";
import { type PublicationEvent, type PublicationState, stepPublication } from "./publication-states.ts";

/**
 * `wait`: it is sent when those of its endpoint that were published before it have their outcome, whatever that is. `reject`:
 * the same, and it fails if one of them does. `none`: it is sent beside them.
 */
export type PublishOrder = "wait" | "reject" | "none";

export interface Queued {
  /** Of the shell's: each is higher than all before. */
  readonly name: number;
  readonly endpoint: string;
  readonly order: PublishOrder;
  readonly bytes: number;
  /** It fails then. */
  readonly until: number;
  /** If it is under way: its answer comes by then, or won't. */
  answerBy: number;
  state: PublicationState;
  /** What the edge said of it last. */
  said: ErrorBody | undefined;
}

/** Those of one endpoint. */
interface Lane {
  readonly all: Ordered<Queued>;
  /** How many of them are to fail with those before them. */
  rejects: number;
}

const inOrder = () => new Ordered<Queued>(({ name }) => name);

export class PublishQueue {
  readonly #all = inOrder();
  readonly #lanes = new Map<string, Lane>();
  /** Those that may be sent. */
  readonly #ready = inOrder();
  /** By the ids of their frames, in the order in which they were sent. */
  readonly #underWay = new Map<number, Queued>();
  #bytes = 0;

  get size(): number {
    return this.#all.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many are under way. */
  get sent(): number {
    return this.#underWay.size;
  }

  /** The one that was published first. */
  get oldest(): Queued | undefined {
    return this.#all.first;
  }

  /** The one that has been under way for longest. */
  get slowest(): Queued | undefined {
    return this.#underWay.values().next().value;
  }

  /** The next that may be sent. */
  get next(): Queued | undefined {
    return this.#ready.first;
  }

  named(name: number): Queued | undefined {
    return this.#all.numbered(name);
  }

  withId(id: number): Queued | undefined {
    return this.#underWay.get(id);
  }

  underWay(): Queued[] {
    return [...this.#underWay.values()];
  }

  add(queued: Queued): void {
    const lane = this.#lanes.get(queued.endpoint) ?? { all: inOrder(), rejects: 0 };
    this.#lanes.set(queued.endpoint, lane);
    lane.all.add(queued);
    if (queued.order === "reject") lane.rejects++;
    this.#all.add(queued);
    this.#bytes += queued.bytes;
    if (queued.order === "none" || lane.all.first === queued) this.#ready.add(queued);
  }

  /** Something happens to one of them. One that is over by it leaves. */
  step(queued: Queued, event: PublicationEvent): void {
    const { state } = queued;
    if ("id" in state) this.#underWay.delete(state.id);
    else this.#ready.delete(queued);
    queued.state = stepPublication(state, event);
    if ("id" in queued.state) this.#underWay.set(queued.state.id, queued);
    else if (queued.state.kind === "over") this.remove(queued);
    else if (queued.order === "none" || this.#lanes.get(queued.endpoint)?.all.first === queued)
      this.#ready.add(queued);
  }

  /** Those of its endpoint that are to fail as it has failed. */
  behind({ endpoint, name }: Queued): Queued[] {
    const lane = this.#lanes.get(endpoint);
    if (lane === undefined || lane.rejects === 0) return [];
    return [...lane.all].filter((queued) => queued.order === "reject" && queued.name > name);
  }

  remove(queued: Queued): void {
    const lane = this.#lanes.get(queued.endpoint);
    if (lane === undefined || !lane.all.delete(queued)) return;
    this.#all.delete(queued);
    this.#ready.delete(queued);
    this.#bytes -= queued.bytes;
    if (queued.order === "reject") lane.rejects--;
    const { first } = lane.all;
    if (first === undefined) this.#lanes.delete(queued.endpoint);
    else if (first.order !== "none") this.#mayBeSent(first);
  }

  /** It was the first of its endpoint before, or is now. */
  #mayBeSent(first: Queued): void {
    if ("id" in first.state) return;
    this.#ready.delete(first);
    this.#ready.add(first);
  }
}
