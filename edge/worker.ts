/**
 * The entry of the edge: the Worker and the classes of its Durable Objects.
 */
import { createApp } from "./app.ts";
import { PAGE } from "./page-route.ts";

export { EndpointObject } from "./endpoint-object.ts";
export { UplinkObject } from "./uplink-object.ts";

export default createApp(PAGE);
