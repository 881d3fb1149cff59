/**
 * Bindings of the Worker and its objects: wrangler.toml is their source.
 */
import type { Publish } from "../shared/protocol/publish.ts";
import type { Revocation } from "../shared/protocol/revocation.ts";
import type { ConnectionSettings } from "./endpoint/connection-limits.ts";
import type { BrowserSettings } from "./http/browsers.ts";
import type { QuotaEnv } from "./http/quotas.ts";
import type { SenderSettings } from "./http/sender.ts";
import type { SenderLimitSettings } from "./http/sender-limits.ts";
import type { ObjectIdentity } from "./object-identity.ts";
import type { LatestResult } from "./shard/answering/latest.ts";
import type { GatherSetting } from "./shard/links/gathering.ts";
import type { OccupancyResult } from "./shard/occupancy/occupancy.ts";
import type { PublishOutcome } from "./shard/publishing/outcome.ts";
import type { ShardStatus } from "./shard/shard-status.ts";
import type { Unspread } from "./shard/spreading.ts";

/** What the Worker and objects call on a shard. */
export interface ShardCalls extends Rpc.DurableObjectBranded {
  /** L1: an object has a subscriber and no link. Resolves when it is noted, whether it has been dialled or not. */
  attach(object: ObjectIdentity): Promise<void>;
  /** U8: the latest record of an endpoint, for a principal as it is encoded. Never rejects for want of an origin. */
  latest(path: string, principal?: string, brief?: boolean): Promise<LatestResult>;
  /** O2: how many subscribers an endpoint has, for a principal as it is encoded. */
  occupancy(path: string, principal?: string): Promise<OccupancyResult>;
  /** W6: publishes for a principal as it is encoded. Never rejects for want of an origin. */
  publish(publish: Publish, principal?: string): Promise<PublishOutcome>;
  status(): Promise<ShardStatus>;
  /** A9: how many shards there are as far as it knows, which it has noted. */
  shards(): Promise<number>;
  /** A9: whether a principal, as it is encoded, has a token that was revoked. */
  isRevoked(principal: string): Promise<boolean>;
  /** A9: resolves when it is stored. False if there are too many. */
  revoke(revocation: Revocation): Promise<boolean>;
  /** Whether there was one. `issuer` is a hash. */
  lift(issuer: string, id: string): Promise<boolean>;
  /** D4: brings what is known of that revocation to all other edges. Resolves with those that haven't stored it. */
  spread(issuer: string, id: string): Promise<Unspread>;
  /** Those of one issuer; or all, and those that were lifted. */
  revocations(issuer?: string): Promise<readonly Revocation[]>;
}

/** Edges that share an address. */
export interface Siblings {
  /** Of this one, from 0. */
  readonly number: number;
  /** This one included. */
  readonly count: number;
  /** By number. None, if one of them asks. */
  readonly others: ReadonlyMap<number, Pick<Fetcher, "fetch">>;
}

export interface Env
  extends ConnectionSettings,
    BrowserSettings,
    GatherSetting,
    QuotaEnv,
    SenderSettings,
    SenderLimitSettings {
  readonly SHARD: DurableObjectNamespace<ShardCalls>;
  readonly ENDPOINT: DurableObjectNamespace;
  readonly RELAY: DurableObjectNamespace;
  /** How many shards there are, 1–64. Changing it moves endpoints to other shards. */
  readonly SHARDS: string;
  /** How many objects of many endpoints each region has, 1–1,000. Changing it moves some connections to others. */
  readonly RELAYS?: string;
  /** How many objects of many endpoints each shard has for keys without a record, 0–100. 0: these have objects of their own. */
  readonly ROOMS?: string;
  /** A secret: `kid:name:secret[,kid:name:secret…]`, each secret of 32 bytes or more. */
  readonly UPLINK_KEYS?: string;
  /** A secret: who may issue tokens (shared/config/issuers.ts). Workerd by itself makes null of what is unset. */
  readonly AUTH_ISSUERS?: string | null;
  /** Bytes of a value that is published, at most. */
  readonly PUBLISH_MAX_BYTES?: string;
  /** Origins of web pages that are answered, with commas between; unset: all, without cookies. */
  readonly WEB_ORIGINS?: string;
  /** The name of a cookie that may hold a token. */
  readonly AUTH_COOKIE?: string;
  /** Below which path of a proxy the edge is; unset: it has a host of its own. */
  readonly BASE_PATH?: string;
  /** "on": `/$/operations` answers those who may know. */
  readonly OPERATIONS?: string;
  /** "on": everybody may know names of origins and what is counted; else a token with `admin`. */
  readonly DETAILS?: string;
  /** On workerd by itself, objects that store run in a service of their own; it counts for itself. */
  readonly STORING?: Fetcher;
  /** Unset: it has its address to itself. */
  readonly SIBLINGS?: Siblings;
}
