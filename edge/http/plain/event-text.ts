/** The events of a stream as text (E1–E7 of PROTOCOL.md; the form is that of the HTML standard's event streams). Pure. */
import { updateAsJson } from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { formatPosition, type Position, parsePosition } from "../../../shared/protocol/position.ts";
import { verdictFields } from "../../../shared/protocol/schemas.ts";
import type { Told } from "./receiver.ts";

/** Nothing has come for a while, and the way down to here is open. */
const HEARTBEAT = ":\n\n";

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

/**
 * The last event; `afterMs` is how long a client that may come back waits first. `e`: of which endpoint it is, in a stream of
 * several.
 */
export function endingText({ code, message, retry }: Ending, afterMs: number, e?: string): string {
  const wait = retry ? `retry: ${Math.round(afterMs)}\n` : "";
  return wait + eventText("error", JSON.stringify({ e, code, message, retry }));
}

/** What events say besides in a stream of several endpoints (E7). */
export interface OfSeveral {
  readonly endpoint: string;
  /** Where all of them stand. */
  readonly id: string;
}

/** "" for what is not for the client. `position`: where the receiver stands. */
export function toldText(told: Told, position: Position, of?: OfSeveral): string {
  const e = of?.endpoint;
  switch (told.kind) {
    case "update":
      return eventText(undefined, updateAsJson(told.frame), of?.id ?? resumable(position));
    case "verdict":
    case "reset": {
      const fields = JSON.stringify({ e, ...verdictFields(told.verdict) });
      return eventText(told.kind, fields, of?.id ?? resumable(told.verdict.position));
    }
    case "gap":
      return eventText("gap", JSON.stringify({ e, position: formatPosition(position) }));
    case "wait":
      return eventText("wait", JSON.stringify({ e, ...told.error }));
    case "expires":
      return eventText("expires", JSON.stringify({ in: told.inSeconds }));
    case "occupancy":
      return eventText(told.kind, JSON.stringify({ e, subscribers: told.subscribers }));
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

/** Between the positions of several endpoints: none holds one. */
const BETWEEN = ";";
/** Past that a client couldn't send it back. */
const ID_CHARACTERS = 4_096;

/** Where several endpoints stand, in their order, each empty until its verdict: an id (E7). */
export function placesText(places: readonly (Position | undefined)[]): string {
  if (places.some((place) => place !== undefined && place.size > LIMITS.positionComponents)) return "";
  const id = places.map((place) => (place === undefined ? "" : formatPosition(place))).join(BETWEEN);
  return id.length > ID_CHARACTERS ? "" : id;
}

/** Of so many endpoints; undefined if it is none of these ids. */
export function parsePlaces(text: string, count: number): readonly (Position | undefined)[] | undefined {
  const texts = text.split(BETWEEN);
  const places = texts.map((place) => parsePosition(place));
  const isRead = texts.length === count && places.every((place, i) => place !== undefined || texts[i] === "");
  return isRead ? places : undefined;
}

/** A line ends at a carriage return, too, and comes out of the event as a newline: E2. */
const LINE_END = /\r\n|\r|\n/;

function eventText(name: string | undefined, data: string, id?: string): string {
  const head = name === undefined ? "" : `event: ${name}\n`;
  const place = id === undefined ? "" : `id: ${id}\n`;
  const lines = LINE_END.test(data) ? data.split(LINE_END).join("\ndata: ") : data;
  return `${head}${place}data: ${lines}\n\n`;
}
