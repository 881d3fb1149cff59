/** What is loaded when no WebSocket got through, and not before: who asks why, and how to do without. */
export { explain } from "./explain.ts";
export { dialHttp } from "./http-socket.ts";
export type { HttpMode } from "./http-terms.ts";
