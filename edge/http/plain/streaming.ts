/**
 * One client of an event stream, of one endpoint or several: what it is written, when it is left behind, and how it ends. E1–E8
 * of PROTOCOL.md.
 *
 * The Worker takes from the object whatever comes, so how far the client is behind shows here only. One that is live and
 * past the bound ends, and comes back by its position. One that is catching up isn't sent away for a past that is larger than
 * the bound: the Worker leaves the object, and joins it again from where the client stands when that has taken what there was.
 */
import { CLOSE, closeReason, mayReconnect, readCloseReason } from "../../../shared/protocol/codes.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import type { Message } from "../../../shared/protocol/message.ts";
import type { Position } from "../../../shared/protocol/position.ts";
import { PING } from "../../../shared/protocol/subscriber.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import type { Refusal } from "../refusal.ts";
import { type Ending, endingText, placesText, retryText, toldText } from "./event-text.ts";
import { Receiver, type Told } from "./receiver.ts";

export interface StreamPorts {
  /** Hands text to the client's connection. */
  write(text: string): void;
  /** What was handed over and not yet taken, in bytes. */
  unsent(): number;
  /** Nothing more is written. */
  end(): void;
  /** Ends the connection whatever of it is unsent. */
  drop(): void;
  /** Sends a frame to the object of an endpoint: the first, the second… */
  send(frame: string, endpoint: number): void;
  /** Leaves it. */
  leave(endpoint: number): void;
  /** Joins it anew. */
  join(from: Position | undefined, endpoint: number): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 to 1. */
  chance(): number;
}

/** What is streamed of an endpoint. */
export interface StreamStart {
  readonly endpoint: string;
  readonly from: Position | undefined;
  /** Its client wants to know how many subscribers there are. */
  readonly occupancy?: true | undefined;
}

export interface StreamOptions {
  /** Events must say whose they are. */
  readonly isOfSeveral?: boolean;
  /** It ends when it has told something, or after so long (E8); undefined: it goes on. */
  readonly waitMs?: number | undefined;
}

const { streamSilentMs, streamPongMs, streamVerdictMs, takesNothingMs, streamBackMs, streamBackLaterMs } =
  TIME_LIMITS;

/** An endpoint of a stream, and how it is with its object. */
interface Part {
  readonly receiver: Receiver;
  isJoined: boolean;
  heardAt: number;
  askedAt: number;
  /** Its client was told that the verdict takes its time: then that is news, whatever it says. */
  waits: boolean;
  pingedAt: number | undefined;
}

export class Streaming {
  readonly #ports: StreamPorts;
  readonly #parts: readonly Part[];
  /** Whether events must say whose they are. */
  readonly #isOfSeveral: boolean;
  /** When it ends if there is nothing to tell. */
  readonly #until: number | undefined;
  /** Something was told for which its client waits. */
  #hasNews = false;
  #isOver = false;
  /** Handed over altogether, to tell what was taken. */
  #written = 0;
  #taken = 0;
  #takenAt: number;

  constructor(
    starts: readonly StreamStart[],
    ports: StreamPorts,
    { isOfSeveral = false, waitMs }: StreamOptions = {},
  ) {
    this.#ports = ports;
    this.#isOfSeveral = isOfSeveral;
    const now = ports.now();
    this.#until = waitMs === undefined ? undefined : now + waitMs;
    this.#parts = starts.map(({ endpoint, from, occupancy }) => ({
      receiver: new Receiver(endpoint, from, occupancy),
      isJoined: true,
      heardAt: now,
      askedAt: now,
      waits: false,
      pingedAt: undefined,
    }));
    this.#takenAt = now;
    this.#write(retryText(spread(streamBackMs, ports.chance())));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  message(message: Message, at = 0): void {
    const part = this.#joined(at);
    if (part === undefined) return;
    part.heardAt = this.#ports.now();
    part.pingedAt = undefined;
    // A past that one of them is sent isn't held against the others.
    const areLive = this.#parts.every(({ receiver }) => receiver.isLive);
    if (this.#ports.unsent() > (areLive ? LIMITS.subscriberBacklogBytes : LIMITS.answerBytes)) {
      if (areLive) this.#end(SLOW);
      else this.#pause(part, at);
      return;
    }
    let text = "";
    for (const told of part.receiver.hear(message)) {
      if (told.kind === "ended") {
        this.#write(text);
        this.#end(told.error, part);
        return;
      }
      text += this.#textOf(told, part);
      if (isNews(told, part.waits)) this.#hasNews = true;
      if (told.kind === "wait") part.waits = true;
      if (told.kind === "gap") this.#ask(part, told.ask, at);
    }
    this.#write(text);
    this.#endIfTold();
  }

  /** The object of an endpoint has gone. */
  closed(code: number, reason: string, at = 0): void {
    const part = this.#joined(at);
    if (part !== undefined) this.#end(endingOf(code, reason), part);
  }

  /** It couldn't be joined again. */
  refused({ code, message }: Refusal, at = 0): void {
    this.closed(CLOSE[code], closeReason(code, message), at);
  }

  /** The client has taken all but a little. */
  drained(): void {
    if (this.#isOver) return;
    for (const [at, part] of this.#parts.entries()) {
      if (part.isJoined) continue;
      part.isJoined = true;
      part.heardAt = part.askedAt = this.#ports.now();
      part.receiver.resume();
      this.#ports.join(part.receiver.place, at);
    }
  }

  /** The client has gone. */
  gone(): void {
    this.#leaveAll();
    this.#isOver = true;
  }

  /** Looks how things are. Returns after how long to look again, in milliseconds; undefined when there is nothing more to see. */
  look(): number | undefined {
    const now = this.#ports.now();
    const unsent = this.#ports.unsent();
    if (this.#written - unsent > this.#taken || unsent === 0) {
      this.#taken = this.#written - unsent;
      this.#takenAt = now;
    }
    if (now - this.#takenAt >= takesNothingMs) {
      this.gone();
      this.#ports.drop();
      return undefined;
    }
    if (!this.#isOver) this.#endIfTold();
    if (this.#isOver) return unsent === 0 ? undefined : streamSilentMs;
    let next = streamSilentMs;
    if (this.#until !== undefined && this.#until > now) next = Math.min(next, this.#until - now);
    for (const [at, part] of this.#parts.entries())
      if (part.isJoined && !this.#isOver) next = Math.min(next, this.#lookAtObject(part, at, now));
    return next;
  }

  /** The object's answer to a ping is what a heartbeat tells: that the whole way is open. */
  #lookAtObject(part: Part, at: number, now: number): number {
    const isMute = part.pingedAt !== undefined && now - part.pingedAt >= streamPongMs;
    if (isMute || (part.receiver.isAsked && now - part.askedAt >= streamVerdictMs)) {
      this.#end(MUTE, part);
      return streamSilentMs;
    }
    const left = part.heardAt + streamSilentMs - now;
    if (left > 0) return left;
    if (part.pingedAt === undefined) {
      part.pingedAt = now;
      this.#ports.send(PING, at);
    }
    return part.pingedAt + streamPongMs - now;
  }

  /** With all that there is, and not before: what is left out would be asked for again at once. */
  #endIfTold(): void {
    if (this.#until === undefined || this.#isOver) return;
    if (!this.#hasNews && this.#ports.now() < this.#until) return;
    if (!this.#parts.every(({ receiver }) => receiver.isSettled)) return;
    this.#leaveAll();
    this.#isOver = true;
    this.#ports.end();
  }

  #joined(at: number): Part | undefined {
    const part = this.#parts[at];
    return part?.isJoined && !this.#isOver ? part : undefined;
  }

  #textOf(told: Told, part: Part): string {
    const { endpoint, position } = part.receiver;
    if (!this.#isOfSeveral) return toldText(told, position);
    // The token is that of all of them.
    if (told.kind === "expires" && part !== this.#parts[0]) return "";
    const id = placesText(this.#parts.map(({ receiver }) => receiver.place));
    return toldText(told, position, { endpoint, id });
  }

  #ask(part: Part, frame: string, at: number): void {
    part.askedAt = this.#ports.now();
    this.#ports.send(frame, at);
  }

  #pause(part: Part, at: number): void {
    part.isJoined = false;
    this.#ports.leave(at);
  }

  #leaveAll(): void {
    if (this.#isOver) return;
    for (const [at, { isJoined }] of this.#parts.entries()) if (isJoined) this.#ports.leave(at);
  }

  /** @param part Whose end it is; undefined: that of all. */
  #end(ending: Ending, part?: Part): void {
    this.#leaveAll();
    this.#isOver = true;
    const endpoint = this.#isOfSeveral ? part?.receiver.endpoint : undefined;
    this.#write(endingText(ending, backLaterMs(this.#ports.chance()), endpoint));
    this.#ports.end();
  }

  #write(text: string): void {
    if (text === "") return;
    const before = this.#ports.unsent();
    this.#ports.write(text);
    this.#written += this.#ports.unsent() - before;
  }
}

/** Not what would be told again, and again at once, to a client that comes back. */
function isNews(told: Told, waits: boolean): boolean {
  if (told.kind === "verdict") return waits || told.verdict.recovered !== true;
  return told.kind === "update" || told.kind === "reset" || told.kind === "expires";
}

/** How long a client is to wait after an error that may pass. */
export function backLaterMs(chance: number): number {
  return spread(streamBackLaterMs, chance);
}

/** Not all come back at once. */
function spread(longestMs: number, chance: number): number {
  return longestMs * (0.25 + 0.75 * chance);
}

const SLOW: Ending = {
  code: "slow_consumer",
  message: "more than this stream may leave unsent wasn't taken",
  retry: true,
};
const MUTE: Ending = { code: "unavailable", message: "this endpoint doesn't answer just now", retry: true };

/** What a close of the object's socket says, as an event. */
export function endingOf(code: number, reason: string): Ending {
  // WebSocket's own codes mean that something went away.
  if (code < CLOSE.going_away)
    return { code: "going_away", message: "the server stops or moves", retry: true };
  const { name, sentence } = readCloseReason(reason);
  return {
    code: name,
    message: sentence === "" || sentence === reason ? (SENTENCES[name] ?? name) : sentence,
    retry: mayReconnect(code),
  };
}

const SENTENCES: Readonly<Record<string, string>> = {
  expired: "the token has expired",
  revoked: "the token was revoked",
  going_away: "the server stops or moves",
};
