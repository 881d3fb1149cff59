/** One subscription of a connection, and those who share it: each begins with the latest update that came. */
import type { ErrorBody } from "../../protocol/error-body.ts";
import type { JoinOptions } from "../connect.ts";
import type { SubscriptionEvents } from "../events.ts";
import type { SharedSubscription } from "../handle.ts";
import type { SubscriptionPhase } from "../subscription.ts";
import type { ReceivedUpdate } from "../update.ts";

/** An event of a subscription. */
export type Told = {
  readonly [K in keyof SubscriptionEvents]: { readonly name: K; readonly event: SubscriptionEvents[K] };
}[keyof SubscriptionEvents];

export interface FeedMember {
  hear(told: Told): void;
}

export interface FeedPorts {
  heardAt(): number | undefined;
  /** Why the connection was closed for good. */
  refusal(): ErrorBody | undefined;
  /** Nobody shares it any more, or it has ended. */
  over(): void;
}

export class Feed {
  readonly #begin: (options: JoinOptions) => SharedSubscription;
  readonly #ports: FeedPorts;
  /** Whether it has caught up with those that were here before. */
  readonly #members = new Map<FeedMember, boolean>();
  /** undefined: it began with the latest update, or will. */
  readonly #from: string | undefined;
  #subscription: SharedSubscription;
  #isTold: true | undefined;
  #isReplaced = false;
  #latest: ReceivedUpdate | undefined;
  #subscribers: number | undefined;
  #refusal: ErrorBody | undefined;

  constructor(
    begin: (options: JoinOptions) => SharedSubscription,
    { from, occupancy }: JoinOptions,
    ports: FeedPorts,
  ) {
    this.#begin = begin;
    this.#from = from;
    this.#isTold = occupancy;
    this.#ports = ports;
    this.#subscription = this.#follow(from);
  }

  /** Whether one who joins can be given what a subscribe of its own would begin with. */
  get hasLatest(): boolean {
    return this.#from === undefined || this.#latest !== undefined;
  }

  get phase(): SubscriptionPhase {
    return this.#subscription.phase;
  }

  get connection(): SubscriptionEvents["connection"] {
    return this.#subscription.connection;
  }

  /** When anything was heard on its connection, in milliseconds since 1970. */
  get heardAt(): number | undefined {
    return this.#ports.heardAt();
  }

  /** Why it has ended, if the edge refused it. */
  get refusal(): ErrorBody | undefined {
    return this.#refusal ?? this.#ports.refusal();
  }

  /**
   * Nothing is told before this has returned; and what is told then begins with the latest update. `occupancy`: the edge is to tell
   * how many subscribers there are, for which a subscription that wasn't to be told resumes in its own place.
   */
  join(member: FeedMember, occupancy: true | undefined): void {
    if (occupancy && !this.#isTold) this.#resumeTold();
    const isNew = this.#members.size === 0;
    this.#members.set(member, isNew);
    if (!isNew) queueMicrotask(() => this.#catchUp(member));
  }

  leave(member: FeedMember): void {
    if (this.#members.delete(member) && this.#members.size === 0) this.#subscription.close();
  }

  #catchUp(member: FeedMember): void {
    if (!this.#members.has(member)) return;
    this.#members.set(member, true);
    if (this.#latest !== undefined) member.hear({ name: "update", event: this.#latest });
    if (this.#subscribers !== undefined)
      member.hear({ name: "occupancy", event: { subscribers: this.#subscribers } });
    const { phase, position = "-", connection } = this.#subscription;
    if (phase === "live") member.hear({ name: "live", event: { position } });
    if (connection.state === "closed") member.hear({ name: "connection", event: connection });
  }

  #resumeTold(): void {
    const { position } = this.#subscription;
    this.#isTold = true;
    this.#isReplaced = true;
    this.#subscription.close();
    this.#isReplaced = false;
    this.#subscription = this.#follow(position ?? this.#from);
  }

  #follow(from: string | undefined): SharedSubscription {
    const subscription = this.#begin({ from, occupancy: this.#isTold });
    subscription.on("update", (event) => {
      this.#latest = event;
      this.#tell({ name: "update", event });
    });
    subscription.on("verdict", (event) => this.#tell({ name: "verdict", event }));
    subscription.on("gap", (event) => this.#tell({ name: "gap", event }));
    subscription.on("live", (event) => this.#tell({ name: "live", event }));
    subscription.on("wait", (event) => this.#tell({ name: "wait", event }));
    subscription.on("occupancy", (event) => {
      this.#subscribers = event.subscribers;
      this.#tell({ name: "occupancy", event });
    });
    subscription.on("error", (event) => {
      if (!event.retry) this.#refusal = event;
      this.#tell({ name: "error", event });
    });
    subscription.on("connection", (event) => {
      if (this.#isReplaced) return;
      if (event.state === "closed") this.#ports.over();
      this.#tell({ name: "connection", event });
    });
    return subscription;
  }

  #tell(told: Told): void {
    for (const [member, isCaughtUp] of [...this.#members]) if (isCaughtUp) member.hear(told);
  }
}
