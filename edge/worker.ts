/**
 * The entry of the edge: the Worker and the classes of its Durable Objects.
 */
import { createApp } from "./http/app.ts";
import { PAGE } from "./http/page-route.ts";
import { PUBLIC } from "./principal.ts";

export { EndpointObject } from "./endpoint/endpoint-object.ts";
export { ShardObject } from "./shard/shard-object.ts";

// Nobody brings anything yet that would tell who it is.
export default createApp(PAGE, () => PUBLIC);
