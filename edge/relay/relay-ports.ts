/** What the core of a relay (relay-core.ts) needs of its object, and what that says to it. */
import type { Position } from "../../shared/protocol/position.ts";
import type { Answered } from "../endpoint/catch-up.ts";
import type { ConnectLimits } from "../endpoint/connection-limits.ts";
import type { EndpointStateConfig } from "../endpoint/endpoint-state.ts";
import type { LinkSeekerPorts } from "../endpoint/link-seeker.ts";
import type { Granted, RenewalsPorts } from "../endpoint/renewals.ts";
import type { SenderSpending } from "../endpoint/sender-spending.ts";
import type { HibernatingPeer } from "../peer.ts";
import type { EndpointsConfig } from "./endpoints.ts";
import type { FollowBounds } from "./follows.ts";
import type { RelayRows } from "./keeping.ts";
import type { OldestResult } from "./oldest.ts";
import type { Judgement, Right } from "./right.ts";

export interface RelayPorts extends LinkSeekerPorts, RenewalsPorts<Granted> {
  /** Milliseconds since 1970; they never go back. */
  now(): number;
  /** The same as the machine has it, for dates: it may be set back. */
  wall(): number;
  /** When a client last sent a ping, by the machine's clock; undefined if never. The runtime answers those by itself. */
  pingedAt(socket: HibernatingPeer): number | undefined;
  /** undefined if the topic of a path is not exposed. */
  configOf(path: string): EndpointStateConfig | undefined;
  shardOf(path: string): number;
  /** Whether a path may be subscribed to. */
  judge(path: string, right: Right): Judgement;
  /** Where an endpoint's history begins, as its shard says. */
  oldest(path: string): Promise<OldestResult>;
  /** Whether it may be published to. */
  judgePublish(path: string, right: Right): Judgement;
  /** Whether there may be any path that can be published to. */
  mayPublishSomewhere(right: Right): boolean;
  /** For a publish that has none: nobody can guess it. */
  newKey(): string;
  /** Messages that went out to clients. */
  sent(messages: number): void;
  /** A subscription has its verdict. */
  answered(how: Answered): void;
  readonly rows: RelayRows;
}

export interface RelayConfig extends FollowBounds, EndpointsConfig {
  readonly limits: ConnectLimits;
  readonly bySender: SenderSpending;
  /** Of a value that is published, in bytes. */
  readonly publishBytes: number;
}

/** A subscribe by a URL: of a socket that follows this one endpoint. */
export interface UrlSubscribe {
  readonly path: string;
  readonly from: Position | undefined;
  readonly occupancy?: true | undefined;
  /** From whom it came, if that counts. */
  readonly sender?: string | undefined;
}

/** Sockets that outlived a hibernation. */
export interface RelaySurvivors {
  readonly links: readonly HibernatingPeer[];
  readonly connections: readonly HibernatingPeer[];
}
