/**
 * The entry of the edge: the Worker and the classes of its Durable Objects.
 */
import { accessOf } from "./access/access.ts";
import type { Env } from "./env.ts";
import { createApp } from "./http/app.ts";
import { belowBase } from "./http/base-path.ts";
import { PAGE } from "./http/page-route.ts";

export { EndpointObject } from "./endpoint/endpoint-object.ts";
export { RelayObject } from "./relay/relay-object.ts";
export { ShardObject } from "./shard/shard-object.ts";

const app = createApp(PAGE, accessOf, () => caches.default);

export default {
  fetch(request, env, context) {
    return belowBase(request, env.BASE_PATH, (own) => app.fetch(own, env, context));
  },
} satisfies ExportedHandler<Env>;
