/**
 * One client of an event stream: what it is written, when it is left behind, and how it ends. E1–E6 of PROTOCOL.md.
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
import { type Ending, endingText, retryText, toldText } from "./event-text.ts";
import { Receiver } from "./receiver.ts";

export interface StreamPorts {
  /** Hands text to the client's connection. */
  write(text: string): void;
  /** What was handed over and not yet taken, in bytes. */
  unsent(): number;
  /** Nothing more is written. */
  end(): void;
  /** Ends the connection whatever of it is unsent. */
  drop(): void;
  /** Sends a frame to the object. */
  send(frame: string): void;
  /** Leaves the object. */
  leave(): void;
  /** Joins it anew. */
  join(from: Position): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 to 1. */
  chance(): number;
}

const { streamSilentMs, streamPongMs, streamVerdictMs, takesNothingMs, streamBackMs, streamBackLaterMs } =
  TIME_LIMITS;

export class Streaming {
  readonly #ports: StreamPorts;
  readonly #receiver: Receiver;
  #state: "joined" | "paused" | "ended" = "joined";
  #heardAt: number;
  #askedAt: number;
  #pingedAt: number | undefined;
  /** Handed over altogether, to tell what was taken. */
  #written = 0;
  #taken = 0;
  #takenAt: number;

  /** @param occupancy Whether its client wants to know how many subscribers there are. */
  constructor(endpoint: string, from: Position | undefined, ports: StreamPorts, occupancy?: true) {
    this.#ports = ports;
    this.#receiver = new Receiver(endpoint, from, occupancy);
    const now = ports.now();
    this.#heardAt = now;
    this.#askedAt = now;
    this.#takenAt = now;
    this.#write(retryText(spread(streamBackMs, ports.chance())));
  }

  message(message: Message): void {
    if (this.#state !== "joined") return;
    this.#heardAt = this.#ports.now();
    this.#pingedAt = undefined;
    const isLive = this.#receiver.isLive;
    if (this.#ports.unsent() > (isLive ? LIMITS.subscriberBacklogBytes : LIMITS.answerBytes)) {
      if (isLive) this.#end(SLOW);
      else this.#pause();
      return;
    }
    let text = "";
    for (const told of this.#receiver.hear(message)) {
      if (told.kind === "ended") {
        this.#write(text);
        this.#end(told.error);
        return;
      }
      text += toldText(told, this.#receiver.position);
      if (told.kind === "gap") this.#ask(told.ask);
    }
    this.#write(text);
  }

  get isOver(): boolean {
    return this.#state === "ended";
  }

  /** The object has gone. */
  closed(code: number, reason: string): void {
    if (this.#state === "joined") this.#end(endingOf(code, reason));
  }

  /** The object couldn't be joined again. */
  refused({ code, message }: Refusal): void {
    this.closed(CLOSE[code], closeReason(code, message));
  }

  /** The client has taken all but a little. */
  drained(): void {
    if (this.#state !== "paused") return;
    this.#state = "joined";
    this.#heardAt = this.#askedAt = this.#ports.now();
    this.#receiver.resume();
    this.#ports.join(this.#receiver.position);
  }

  /** The client has gone. */
  gone(): void {
    if (this.#state === "joined") this.#ports.leave();
    this.#state = "ended";
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
    if (this.#state === "joined") return this.#lookAtObject(now);
    return this.#state === "ended" && unsent === 0 ? undefined : streamSilentMs;
  }

  /** The object's answer to a ping is what a heartbeat tells: that the whole way is open. */
  #lookAtObject(now: number): number | undefined {
    const isMute = this.#pingedAt !== undefined && now - this.#pingedAt >= streamPongMs;
    if (isMute || (this.#receiver.isAsked && now - this.#askedAt >= streamVerdictMs)) {
      this.#ports.leave();
      this.#end(MUTE);
      return streamSilentMs;
    }
    const left = this.#heardAt + streamSilentMs - now;
    if (left > 0) return left;
    if (this.#pingedAt === undefined) {
      this.#pingedAt = now;
      this.#ports.send(PING);
    }
    return this.#pingedAt + streamPongMs - now;
  }

  #ask(frame: string): void {
    this.#askedAt = this.#ports.now();
    this.#ports.send(frame);
  }

  #pause(): void {
    this.#state = "paused";
    this.#ports.leave();
  }

  #end(ending: Ending): void {
    this.#ports.leave();
    this.#state = "ended";
    this.#write(endingText(ending, backLaterMs(this.#ports.chance())));
    this.#ports.end();
  }

  #write(text: string): void {
    if (text === "") return;
    const before = this.#ports.unsent();
    this.#ports.write(text);
    this.#written += this.#ports.unsent() - before;
  }
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
