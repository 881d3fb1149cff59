/**
 * The wire to a client: its TCP connection, once the handshake is done. What comes is read by the receiver of `ws`, unless it
 * came whole (whole.ts); what goes is framed once for all that it goes to, and leaves at the end of the turn, or when what was written
 * in it is stored.
 */
import type { Duplex, Writable } from "node:stream";
import * as ws from "ws";
import { TIME_LIMITS } from "../time-limits.ts";
import { flushAtEnd } from "../turn.ts";
import { ABNORMAL, BROKEN, type End, exact, type Incoming, type Outward } from "./end.ts";
import { closeFrame, forgetFramed, framed, type Outgoing, pongFrame, type Text } from "./frame.ts";
import { readWhole } from "./whole.ts";

/** What the types of `ws` leave out. */
type Receiver = Writable & {
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): Receiver;
  on(event: "ping", listener: (data: Buffer) => void): Receiver;
  on(event: "conclude", listener: (code: number, reason: Buffer) => void): Receiver;
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): Receiver;
  on(event: "drain", listener: () => void): Receiver;
  /** Its own: 0 if a frame is to begin. */
  readonly _state: number;
  /** Of the next frame. */
  readonly _bufferedBytes: number;
  /** The kind of a message of which not all frames have come, or 0. */
  readonly _fragmented: number;
  /** Of the last frame. */
  readonly _opcode: number;
  readonly _errored: boolean;
};
const { Receiver } = ws as unknown as {
  readonly Receiver: new (options: {
    readonly isServer: boolean;
    readonly maxPayload: number;
    readonly maxFragments: number;
    readonly maxBufferedChunks: number;
    readonly skipUTF8Validation: boolean;
  }) => Receiver;
};

/** Of one that comes: the platform's limit. */
const MESSAGE_BYTES = 32 * 1024 * 1024;
/** Pieces in which one may come, and in which one may arrive from the network: each takes more memory than a byte. */
const MOST_FRAGMENTS = 16 * 1024;
const MOST_CHUNKS = 256 * 1024;
/** What `ws` finds wrong, by its codes, and with which code that closes; all else is 1002. */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
};
const PROTOCOL_ERROR = 1002;
/** The opcode of a close. */
const CLOSE = 8;
const COPIED_BYTES = 4 * 1024;

export class Network implements Outward {
  readonly #socket: Duplex;
  readonly #end: End;
  readonly #receiver: Receiver;
  /** What leaves at the end of this turn. */
  #leaving: Buffer | Buffer[] | undefined;
  /** Of these, and of what was sent in turns before and waits for the disk. */
  #leavingBytes = 0;
  #closing: NodeJS.Timeout | undefined;
  #isEnding = false;

  /** `end`: the one that hears what the client says. `head`: what it has said already. */
  constructor(socket: Duplex, head: Buffer, end: End) {
    this.#socket = socket;
    this.#end = end;
    const receiver = new Receiver({
      isServer: true,
      maxPayload: MESSAGE_BYTES,
      maxFragments: MOST_FRAGMENTS,
      maxBufferedChunks: MOST_CHUNKS,
      // As workerd: what is no UTF-8 comes with U+FFFD in place of it.
      skipUTF8Validation: true,
    });
    this.#receiver = receiver;
    receiver.on("message", (data, isBinary) => end.hear(isBinary ? exact(data) : data.toString()));
    receiver.on("ping", (data) => this.#write(pongFrame(data)));
    receiver.on("conclude", (code, reason) => this.#concluded(code, reason.toString()));
    receiver.on("error", (error) => this.#faulty(error));
    receiver.on("drain", () => socket.resume());
    const hear = (data: Incoming) => end.hear(data);
    socket.on("data", (piece: Buffer) => {
      const read = isBetweenMessages(receiver) ? readWhole(piece, hear) : 0;
      if (read < piece.length && !receiver.write(read === 0 ? piece : piece.subarray(read))) socket.pause();
    });
    // If nothing is left to say, both directions are over at once.
    socket.on("end", () => (this.buffered === 0 ? socket.destroy() : socket.end()));
    socket.once("close", () => this.#gone());
    if (head.length > 0) socket.unshift(head);
    socket.resume();
  }

  get buffered(): number {
    return this.#socket.writableLength + this.#leavingBytes;
  }

  /** What goes before all messages. */
  begin(answer: Buffer): void {
    this.#write(answer);
  }

  send(message: Outgoing): void {
    this.#write(framed(message));
  }

  sendText({ frame }: Text): void {
    this.#write(frame);
  }

  close(code: number | undefined, reason: string): void {
    if (this.#socket.destroyed) return;
    this.#write(closeFrame(code, reason));
    if (this.#end.hasHeardClose) this.#endAfter();
    else this.#destroyLater();
  }

  drop(): void {
    this.#leaving = undefined;
    this.#leavingBytes = 0;
    this.#socket.destroy();
  }

  end(): void {
    this.#endAfter();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  flush(stored: Promise<void> | undefined): void {
    forgetFramed();
    const leaving = this.#leaving;
    if (leaving === undefined) return;
    this.#leaving = undefined;
    if (stored === undefined) this.#leave(leaving);
    else void stored.then(() => this.#leave(leaving));
  }

  #leave(leaving: Buffer | Buffer[]): void {
    if (this.#socket.destroyed) {
      this.#leavingBytes = 0;
      return;
    }
    if (Array.isArray(leaving)) this.#leaveTogether(leaving);
    else {
      this.#leavingBytes -= leaving.length;
      this.#socket.write(leaving);
    }
    if (this.#isEnding && this.#leavingBytes === 0) this.#finish();
  }

  #leaveTogether(leaving: readonly Buffer[]): void {
    let bytes = 0;
    for (const { length } of leaving) bytes += length;
    this.#leavingBytes -= bytes;
    // Few bytes are copied sooner than a list of them is handed over.
    if (bytes <= COPIED_BYTES) this.#socket.write(Buffer.concat(leaving, bytes));
    else {
      this.#socket.cork();
      for (const frame of leaving) this.#socket.write(frame);
      this.#socket.uncork();
    }
  }

  /** When what is leaving has left. */
  #endAfter(): void {
    if (this.#leavingBytes === 0) this.#finish();
    else this.#isEnding = true;
  }

  /** Not every client takes what was sent, or ends its side. */
  #finish(): void {
    if (this.#socket.destroyed) return;
    this.#socket.end();
    this.#destroyLater();
  }

  #destroyLater(): void {
    this.#closing ??= setTimeout(() => this.#socket.destroy(), TIME_LIMITS.closeAnswerMs).unref();
  }

  #write(frame: Buffer): void {
    if (this.#socket.destroyed) return;
    if (this.#leaving === undefined) {
      this.#leaving = frame;
      flushAtEnd(this);
    } else if (Array.isArray(this.#leaving)) this.#leaving.push(frame);
    else this.#leaving = [this.#leaving, frame];
    this.#leavingBytes += frame.length;
  }

  /** The client has closed, or has answered a close. */
  #concluded(code: number, reason: string): void {
    const wasFirst = !this.#end.hasSentClose;
    this.#end.arriveClose(code, reason, true);
    if (!wasFirst) this.#endAfter();
  }

  /** What it says breaks the protocol, and nothing more of it is heard. */
  #faulty(error: NodeJS.ErrnoException): void {
    this.#socket.removeAllListeners("data");
    this.#socket.resume();
    if (!this.#end.hasSentClose) this.#write(closeFrame(CLOSE_CODES[error.code ?? ""] ?? PROTOCOL_ERROR, ""));
    this.#endAfter();
    this.#end.arriveFault(error);
  }

  #gone(): void {
    clearTimeout(this.#closing);
    this.#receiver.destroy();
    this.#end.arriveClose(ABNORMAL, BROKEN, false);
  }
}

/** If it could tell otherwise some day, it would read everything. */
function isBetweenMessages(receiver: Receiver): boolean {
  const { _state, _bufferedBytes, _fragmented, _opcode, _errored } = receiver;
  return _state === 0 && _bufferedBytes === 0 && _fragmented === 0 && _opcode !== CLOSE && !_errored;
}
