/** The events of a stream as text (E1–E6 of PROTOCOL.md; the form is that of the HTML standard's event streams). Pure. */
import { updateAsJson } from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { formatPosition, type Position } from "../../../shared/protocol/position.ts";
import { verdictFields } from "../../../shared/protocol/schemas.ts";
import type { Told } from "./receiver.ts";

/** Nothing has come for a while, and the way down to here is open. */
export const HEARTBEAT = ":\n\n";

/** Why a stream ends. */
export interface Ending {
  readonly code: string;
  readonly message: string;
  readonly retry: boolean;
}

/** How long a client is to wait before it comes back: the first thing in a stream. */
export function retryText(ms: number): string {
  return `retry: ${Math.round(ms)}\n\n`;
}

/** The last event; `afterMs` is how long a client that may come back waits first. */
export function endingText({ code, message, retry }: Ending, afterMs: number): string {
  const wait = retry ? `retry: ${Math.round(afterMs)}\n` : "";
  return wait + eventText("error", JSON.stringify({ code, message, retry }));
}

/** "" for what is not for the client. `position`: where the receiver stands. */
export function toldText(told: Told, position: Position): string {
  switch (told.kind) {
    case "update":
      return eventText(undefined, updateAsJson(told.frame), resumable(position));
    case "verdict":
    case "reset": {
      const fields = JSON.stringify(verdictFields(told.verdict));
      return eventText(told.kind, fields, resumable(told.verdict.position));
    }
    case "gap":
      return eventText("gap", JSON.stringify({ position: formatPosition(position) }));
    case "wait":
      return eventText("wait", JSON.stringify(told.error));
    case "expires":
      return eventText("expires", JSON.stringify({ in: told.inSeconds }));
    case "occupancy":
      return eventText(told.kind, JSON.stringify({ subscribers: told.subscribers }));
    case "pong":
      return HEARTBEAT;
    case "ended":
      return "";
  }
}

/** A client can't name as many components as a server can (P2); with an empty id it names none. */
function resumable(position: Position): string {
  return position.size > LIMITS.positionComponents ? "" : formatPosition(position);
}

/** A line ends at a carriage return, too, and comes out of the event as a newline: E2. */
const LINE_END = /\r\n|\r|\n/;

function eventText(name: string | undefined, data: string, id?: string): string {
  const head = name === undefined ? "" : `event: ${name}\n`;
  const place = id === undefined ? "" : `id: ${id}\n`;
  const lines = LINE_END.test(data) ? data.split(LINE_END).join("\ndata: ") : data;
  return `${head}${place}data: ${lines}\n\n`;
}
