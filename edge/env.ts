/**
 * Bindings of the Worker and its objects: wrangler.toml is their source.
 */
import type { EndpointObject } from "./endpoint/endpoint-object.ts";
import type { ShardObject } from "./shard/shard-object.ts";

export interface Env {
  readonly SHARD: DurableObjectNamespace<ShardObject>;
  readonly ENDPOINT: DurableObjectNamespace<EndpointObject>;
  /** How many shards there are, 1–64. Changing it moves endpoints to other shards. */
  readonly SHARDS: string;
  /** A secret: `kid:secret[,kid:secret…]`, each secret of 32 bytes or more. */
  readonly UPLINK_KEYS?: string;
  /** "on": `/$/operations` answers. */
  readonly OPERATIONS?: string;
  /** On workerd by itself, objects that store run in a service of their own; it counts for itself. */
  readonly STORING?: Fetcher;
}
