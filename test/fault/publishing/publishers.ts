/**
 * Publishers beside the subscribers: clients that publish over HTTP, whatever befalls everything else. A client sends its
 * next publish when it knows of the one before, and asks again, with the same key, whenever it doesn't.
 */
import { randomUUID } from "node:crypto";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import { between, oneOf, type Random } from "../random.ts";
import { withValue } from "../record.ts";
import type { Ledger, Placed } from "../writer.ts";
import { type Answer, isRefused, type Publish, positionsOf } from "./publish-checker.ts";

/** Where its record's header says who published it, and, of a tombstone, its number (record.ts). */
export const CLIENT_HEADER = "client";
const ID_HEADER = "id";

export const CLIENTS_PER_PARTITION = 8;
/** Between an answer and the next publish, and between two requests of one publish. */
const REST_MS = [150, 650] as const;
const AGAIN_MS = [50, 500] as const;
/** The edge answers within 10 s. */
const PATIENCE_MS = 13_000;
/** Some give up waiting sooner, and ask again while the first request is under way. */
const HASTE_MS = [5, 300] as const;
/** What is under way in the end is to be acknowledged by then. */
const END_MS = 90_000;
const PAD_BYTES = 120;

/** Of all publishes or requests, so many. */
const SHARE = {
  tombstones: 0.05,
  hasty: 0.03,
  /** Asked for once more when it is acknowledged: the position is the same. */
  asked: 0.04,
  /** Let go when they are refused: they must not come later. */
  letGo: 0.2,
} as const;

export interface PublishersSettings {
  readonly topic: string;
  readonly keys: readonly string[];
  readonly partitions: number;
  /**
   * Of how many publishes each client is done, none of which it lets go; undefined: it goes on until it is stopped.
   */
  readonly each?: number | undefined;
}

export interface PublishersPorts {
  readonly ledger: Ledger;
  readonly random: Random;
  /** What was acknowledged, as the answers say. */
  readonly place: (placed: Placed) => void;
}

/** A publish, and how it went. */
export interface Made extends Publish {
  readonly answers: Answer[];
  /** What had been produced when it was over: it was under way while the records from `id` up to this one were. */
  lastId: number;
  readonly startedAt: number;
  /** Until it was acknowledged, in milliseconds; undefined if it never was. */
  tookMs: number | undefined;
}

export class Publishers {
  readonly made: Made[] = [];
  readonly #settings: PublishersSettings;
  readonly #ports: PublishersPorts;
  #running: Promise<void>[] = [];
  #isStopping = false;
  /** Nothing is asked any more from then on. */
  #endsAt = Number.POSITIVE_INFINITY;

  constructor(settings: PublishersSettings, ports: PublishersPorts) {
    this.#settings = settings;
    this.#ports = ports;
  }

  /** Of the clients. */
  get count(): number {
    return this.#settings.partitions * CLIENTS_PER_PARTITION;
  }

  /** @param urls Ways to the edge, one of which each request takes. */
  start(urls: readonly string[]): void {
    const { keys, partitions } = this.#settings;
    this.#running = Array.from({ length: this.count }, (_, i) => {
      const own = keys.filter((key) => partitionOf(Buffer.from(key), partitions) === i % partitions);
      if (own.length === 0) throw new Error(`no key of ${keys.length} is in partition ${i % partitions}`);
      return this.#run(`client-${i}`, own, urls);
    });
  }

  /**
   * Resolves when what is under way is acknowledged, or should have been long ago. Those that have a number of publishes to
   * make go on until they have made them.
   */
  async stop(): Promise<void> {
    const { each } = this.#settings;
    this.#isStopping = each === undefined;
    this.#endsAt = performance.now() + END_MS + (each ?? 0) * REST_MS[1];
    await Promise.all(this.#running);
  }

  /** Nothing more is asked. */
  async abandon(): Promise<void> {
    this.#endsAt = Number.NEGATIVE_INFINITY;
    await Promise.all(this.#running);
  }

  async #run(client: string, keys: readonly string[], urls: readonly string[]): Promise<void> {
    const { random } = this.#ports;
    const { each = Number.POSITIVE_INFINITY } = this.#settings;
    await pause(between(random, 0, REST_MS[1]));
    for (let i = 0; i < each && !this.#isStopping && performance.now() < this.#endsAt; i++) {
      const publish = this.#make(client, oneOf(random, keys));
      await this.#settle(publish, urls);
      publish.lastId = this.#ports.ledger.producedAt.length;
      await pause(between(random, ...REST_MS));
    }
  }

  #make(client: string, key: string): Made {
    const { ledger, random } = this.#ports;
    const id = ledger.reserve();
    const padding = Math.floor(random() * PAD_BYTES);
    const made: Made = {
      id,
      client,
      endpoint: `/${this.#settings.topic}/${key}`,
      value: random() < SHARE.tombstones ? null : withValue(id, key, 0, padding).value,
      answers: [],
      lastId: Number.POSITIVE_INFINITY,
      startedAt: performance.now(),
      tookMs: undefined,
    };
    this.made.push(made);
    return made;
  }

  async #settle(publish: Made, urls: readonly string[]): Promise<void> {
    const { random } = this.#ports;
    const key = randomUUID();
    const mayBeLetGo = this.#settings.each === undefined && random() < SHARE.letGo;
    const isAsked = random() < SHARE.asked;
    while (performance.now() < this.#endsAt) {
      const answer = await this.#ask(publish, oneOf(random, urls), key);
      publish.answers.push(answer);
      if (answer.kind === "acknowledged") {
        if (publish.tookMs === undefined) this.#acknowledge(publish, answer.position);
        if (!isAsked || positionsOf(publish).length > 1) return;
      }
      if (answer.kind === "error" && !answer.retry) return;
      if (mayBeLetGo && isRefused(publish)) return;
      await pause(between(random, ...AGAIN_MS));
    }
  }

  #acknowledge(publish: Made, position: string): void {
    const { id, endpoint, value, startedAt } = publish;
    const [, partition, offset] = /\.(\d+):(\d+)$/.exec(position) ?? [];
    publish.tookMs = performance.now() - startedAt;
    this.#ports.ledger.produced(id);
    this.#ports.place({
      endpoint,
      partition: Number(partition),
      offset: Number(offset),
      id,
      isTombstone: value === null,
    });
  }

  async #ask({ id, client, endpoint, value }: Publish, url: string, key: string): Promise<Answer> {
    const { random } = this.#ports;
    const patienceMs = random() < SHARE.hasty ? between(random, ...HASTE_MS) : PATIENCE_MS;
    try {
      const response = await fetch(`${url}${endpoint}`, {
        method: value === null ? "DELETE" : "POST",
        body: value,
        headers: {
          "Idempotency-Key": key,
          [`Distributary-Header-${CLIENT_HEADER}`]: client,
          ...(value === null && { [`Distributary-Header-${ID_HEADER}`]: String(id) }),
        },
        signal: AbortSignal.timeout(Math.ceil(patienceMs)),
      });
      const said = (await response.json()) as {
        readonly position?: string;
        readonly error?: { readonly code: string; readonly retry: boolean };
      };
      if (response.status === 201 && said.position !== undefined)
        return { kind: "acknowledged", position: said.position };
      const { code = `status ${response.status}`, retry = false } = said.error ?? {};
      return { kind: "error", code, retry };
    } catch {
      // Cut, or too late, or not even begun: the same request with the same key finds out.
      return { kind: "none" };
    }
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
