/**
 * The connections of a client: opened when they are needed, closed when nothing has needed them for a while. Nearly always there
 * is one. A connection has one subscription to an endpoint (M4), which those share who begin with the latest update; who resumes
 * from a position of its own beside another one gets it on a further connection.
 */
import type { ErrorBody } from "../../protocol/error-body.ts";
import { Timer } from "../clock.ts";
import { Connection, type JoinOptions } from "../connect.ts";
import type { ConnectionChange } from "../connection-terms.ts";
import type { PublishedValue, PublishOptions } from "../publisher.ts";
import type { Settings } from "../settings.ts";
import type { Transport } from "../transport.ts";
import { Feed, type FeedMember } from "./feed.ts";
import type { Tokens } from "./tokens.ts";

/** As many as a connection may have, unless the deployment says otherwise (M10). */
const SUBSCRIPTIONS = 1_000;

export interface LanesPorts {
  connection(change: ConnectionChange): void;
  error(error: ErrorBody): void;
}

export class Lanes {
  readonly #edge: URL;
  readonly #settings: Settings;
  readonly #tokens: Tokens;
  readonly #idleMs: number;
  readonly #ports: LanesPorts;
  #lanes: Lane[] = [];

  constructor(edge: URL, settings: Settings, tokens: Tokens, idleMs: number, ports: LanesPorts) {
    this.#edge = edge;
    this.#settings = settings;
    this.#tokens = tokens;
    this.#idleMs = idleMs;
    this.#ports = ports;
  }

  /** Of the first connection; undefined: there is none. */
  get connection(): ConnectionChange | undefined {
    return this.#lanes[0]?.connection.state;
  }

  /** Nothing is told before this has returned. */
  join(endpoint: string, options: JoinOptions, member: FeedMember): Feed {
    for (const lane of this.#lanes) {
      const feed = lane.feeds.get(endpoint);
      if (feed === undefined) {
        if (lane.feeds.size < SUBSCRIPTIONS) return lane.begin(endpoint, options, member);
        continue;
      }
      if (options.from === undefined && feed.hasLatest) {
        feed.join(member, options.occupancy);
        return feed;
      }
    }
    return this.#open().begin(endpoint, options, member);
  }

  async publish(endpoint: string, value: PublishedValue, options: PublishOptions): Promise<string> {
    const lane = this.#lanes[0] ?? this.#open();
    return lane.while(lane.connection.publish(endpoint, value, options));
  }

  look(): void {
    for (const { connection } of this.#lanes) connection.look();
  }

  close(): void {
    for (const lane of [...this.#lanes]) lane.close();
  }

  #open(): Lane {
    const lane: Lane = new Lane(this.#edge, this.#settings, this.#tokens, this.#idleMs, {
      connection: (change) => {
        const isFirst = this.#lanes[0] === lane;
        // Closed for good: what comes later begins with another one.
        if (change.state === "closed") this.#lanes = this.#lanes.filter((other) => other !== lane);
        if (isFirst) this.#ports.connection(change);
      },
      error: (error) => this.#ports.error(error),
    });
    this.#lanes.push(lane);
    return lane;
  }
}

class Lane {
  readonly connection: Connection;
  /** By canonical path. */
  readonly feeds = new Map<string, Feed>();
  readonly #idle: Timer;
  readonly #idleMs: number;
  /** Requests that wait for their answers. */
  #waiting = 0;
  #heardAt: number | undefined;
  /** Why the connection was closed for good. */
  #refusal: ErrorBody | undefined;

  constructor(edge: URL, settings: Settings, tokens: Tokens, idleMs: number, ports: LanesPorts) {
    this.#idleMs = idleMs;
    this.#idle = new Timer(settings.clock, () => this.close());
    const transport = noticing(settings.transport, () => {
      this.#heardAt = settings.clock.date();
    });
    this.connection = new Connection(edge, { ...settings, transport, token: tokens.source() });
    this.connection.on("connection", (change) => {
      if (change.state === "closed") this.#idle.cancel();
      ports.connection(change);
    });
    this.connection.on("error", (error) => {
      if (!error.retry) this.#refusal = error;
      ports.error(error);
    });
  }

  begin(endpoint: string, options: JoinOptions, member: FeedMember): Feed {
    const begin = (options: JoinOptions) => this.connection.subscribe(endpoint, options);
    this.#idle.cancel();
    const feed = new Feed(begin, options, {
      heardAt: () => this.#heardAt,
      refusal: () => this.#refusal,
      over: () => {
        this.feeds.delete(endpoint);
        this.#rest();
      },
    });
    this.feeds.set(endpoint, feed);
    feed.join(member, options.occupancy);
    return feed;
  }

  /** Isn't idle until that is settled. */
  async while<T>(answer: Promise<T>): Promise<T> {
    this.#idle.cancel();
    this.#waiting++;
    try {
      return await answer;
    } finally {
      this.#waiting--;
      this.#rest();
    }
  }

  close(): void {
    this.connection.close();
  }

  #rest(): void {
    const isNeeded = this.feeds.size > 0 || this.#waiting > 0;
    if (!isNeeded && this.connection.state.state !== "closed") this.#idle.set(this.#idleMs);
  }
}

/** The same transport, with an eye on when something is heard. */
function noticing(transport: Transport, heard: () => void): Transport {
  return {
    dial: (url, events, token) =>
      transport.dial(
        url,
        {
          opened: (way) => {
            heard();
            events.opened(way);
          },
          message(message) {
            heard();
            events.message(message);
          },
          closed: (code, reason) => events.closed(code, reason),
        },
        token,
      ),
    explain: (url, token) => transport.explain(url, token),
  };
}
