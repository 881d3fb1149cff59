/**
 * What goes by requests, loaded when it is needed and not before: the latest record, why a dial failed, and a connection where no
 * WebSocket gets through.
 */
export { detour } from "./detour.ts";
export { explain } from "./explain.ts";
export { latestOf } from "./latest.ts";
