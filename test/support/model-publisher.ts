/**
 * What a model of a client publishes, by the product's own machine (W28), over sockets that come and go. It believes nothing:
 * what is sent on a socket must be answered there once, by its id or by that nobody knows (W23, W24), or the socket be lost.
 */
import { PublishError, Publisher, type PublishOptions } from "../../shared/client/publisher.ts";
import type { ErrorBody } from "../../shared/protocol/error-body.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { errorBody } from "../../shared/protocol/schemas.ts";
import type { WrittenLog } from "./written-log.ts";

type Order = NonNullable<PublishOptions["order"]>;

interface ModelPublish {
  readonly path: string;
  readonly value: string;
  readonly order: Order;
  /** A position, or the code of an error. */
  outcome: string | undefined;
}

export interface ModelPublisherPorts {
  now(): number;
  random(): number;
  after(ms: number, run: () => void): () => void;
  nextId(): number;
  /** Takes the next id. */
  send(frame: Frame): void;
}

/** It gives up soon, so that a history comes to rest while nobody takes what is published. */
const LIMITS = {
  ...{ maxPublishes: 1_000, maxBytes: 1e9, atOnce: 4, frameBytes: 1e6 },
  again: { baseMs: 100, maxMs: 5_000 },
  ...{ publishAnswerMs: 12_000, publishMs: 25_000 },
};

export class ModelPublisher {
  readonly all: ModelPublish[] = [];
  readonly violations: string[] = [];
  readonly #publisher: Publisher;
  /** Of frames on the present socket: those that aren't answered, and those of which it was said that nobody knows. */
  readonly #open = new Set<number>();
  readonly #doubtful = new Set<number>();

  constructor(ports: ModelPublisherPorts) {
    const clock = { ...ports, date: ports.now };
    this.#publisher = new Publisher(clock, LIMITS, {
      nextId: () => ports.nextId(),
      send: (frame) => {
        this.#open.add(ports.nextId());
        ports.send(frame);
      },
    });
  }

  /** How many aren't answered on the present socket. */
  get unanswered(): number {
    return this.#open.size;
  }

  publish(path: string, value: string, order: Order): void {
    const publish: ModelPublish = { path, value, order, outcome: undefined };
    this.all.push(publish);
    this.#publisher.publish(path, value, { order, idempotencyKey: value }).then(
      (position) => this.#over(publish, position),
      (error: unknown) => this.#over(publish, error instanceof PublishError ? error.code : String(error)),
    );
  }

  opened(): void {
    this.#publisher.opened();
  }

  lost(): void {
    this.#open.clear();
    this.#doubtful.clear();
    this.#publisher.lost();
  }

  end(): void {
    this.#open.clear();
    this.#publisher.end(errorBody("unsupported", "the client has left"));
  }

  /** Whether a frame with this id publishes, and awaits its answer. */
  awaits(id: number): boolean {
    return this.#open.has(id) || this.#doubtful.has(id);
  }

  answered(id: number, position: string | undefined, error: ErrorBody | undefined): void {
    this.#open.delete(id);
    this.#doubtful.delete(id);
    if (position !== undefined) this.#publisher.taken(id, position);
    else if (error !== undefined) this.#publisher.refused(id, error);
    else this.violations.push(`${id} is answered with nothing`);
  }

  /** Nobody knows what became of all that is open (W24). */
  nobodyKnows(error: ErrorBody): void {
    for (const id of this.#open) this.#doubtful.add(id);
    this.#open.clear();
    this.#publisher.refused(undefined, error);
  }

  /** What is wrong with its outcomes, now that all is over. */
  judge(log: WrittenLog): readonly string[] {
    const wrong = [...this.violations];
    const last = new Map<string, number>();
    for (const { path, value, order, outcome } of this.all) {
      const found = log.records(path).filter((written) => Buffer.from(written.value).toString() === value);
      const [first] = found;
      const position = first && `${first.epoch}:${first.offset}`;
      if (found.length > 1) wrong.push(`${value} is ${found.length} records`);
      if (outcome === undefined) wrong.push(`${value} has no outcome`);
      else if (outcome.includes(":")) {
        if (outcome !== position) wrong.push(`${value} was told to be at ${outcome}, and is at ${position}`);
      } else if (outcome !== "unknown_outcome" && position !== undefined)
        wrong.push(`${value} is at ${position}, and was told to be ${outcome}`);
      if (first === undefined || order === "none") continue;
      if ((last.get(path) ?? -1) > first.at) wrong.push(`${value} is before what was published before it`);
      last.set(path, first.at);
    }
    return wrong;
  }

  #over(publish: ModelPublish, outcome: string): void {
    if (publish.outcome !== undefined) this.violations.push(`${publish.value} is over twice`);
    publish.outcome = outcome;
  }
}
