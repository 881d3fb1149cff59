/**
 * The entry of the edge: the Worker and the classes of its Durable Objects.
 */
import { accessOf } from "./access/access.ts";
import { createApp } from "./http/app.ts";
import { PAGE } from "./http/page-route.ts";

export { EndpointObject } from "./endpoint/endpoint-object.ts";
export { RelayObject } from "./relay/relay-object.ts";
export { ShardObject } from "./shard/shard-object.ts";

export default createApp(PAGE, accessOf, () => caches.default);
