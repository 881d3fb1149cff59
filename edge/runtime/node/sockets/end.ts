/**
 * One of the two ends of a WebSocket as code of the edge holds it. What is sent here goes along a wire: to the other end, within
 * this process, or to a client. What comes is heard by whoever has taken this end, and waits until somebody has.
 */
import { deliverLater } from "../turn.ts";
import type { Attachment } from "./attachment.ts";
import { forgetFramed, messageBytes, type Outgoing, type Text, textFrame, textOf } from "./frame.ts";

export type Incoming = string | ArrayBuffer;

/** Whatever leads away from an end. */
export interface Wire {
  /** Bytes that haven't gone yet. */
  readonly buffered: number;
  send(message: Outgoing): void;
  /** `code` undefined: none is told. */
  close(code: number | undefined, reason: string): void;
  /** Without a close, and at once. */
  drop(): void;
  /** Without a close, after what was sent. */
  end(): void;
  /** Whoever hears what comes along it can't just now, or can again. */
  pause(): void;
  resume(): void;
}

/** One that leads out of the process. */
export interface Outward extends Wire {
  sendText(text: Text): void;
}

/** Whoever hears what comes to an end. None of it throws. Of `closed` and `faulty` one comes, and it is the last. */
export interface Taker {
  message(end: End, data: Incoming): void;
  closed(end: End, code: number, reason: string, wasClean: boolean): void;
  /** What came breaks the protocol. */
  faulty(end: End, error: Error): void;
}

type Come = (
  | { readonly kind: "text"; readonly text: Text }
  | { readonly kind: "bytes"; readonly bytes: ArrayBuffer }
  | { readonly kind: "close"; readonly code: number; readonly reason: string; readonly wasClean: boolean }
  | { readonly kind: "fault"; readonly error: Error }
) & {
  /** What came after it: nearly always nothing, and an array for one takes longer. */
  next?: Come;
};

/** Of a close without a code, and of none (RFC 6455 §7.1.5). */
export const NO_CODE = 1005;
export const ABNORMAL = 1006;
/** As workerd says it. */
export const BROKEN = "WebSocket disconnected without sending Close frame.";

export class End {
  wire: Wire;
  /** What outlives the memory of its object. */
  attachment: Attachment | undefined;
  /** What its object keeps of it, also when it has closed. */
  hibernating: unknown;
  #taker: Taker | undefined;
  #first: Come | undefined;
  #last: Come | undefined;
  #waiting = 0;
  hasSentClose = false;
  hasHeardClose = false;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  get isTaken(): boolean {
    return this.#taker !== undefined;
  }

  /** What has come until now is heard from now on. */
  take(taker: Taker): void {
    this.#taker = taker;
    for (let come = this.#first; come !== undefined; come = come.next) deliverLater(this);
  }

  /** What has come until now, for somebody else who passes it on. */
  passOn(wire: Outward): void {
    for (let come = this.#first; come !== undefined; come = come.next) {
      if (come.kind === "fault" || (come.kind === "close" && !come.wasClean)) wire.drop();
      else if (come.kind === "close") wire.close(come.code === NO_CODE ? undefined : come.code, come.reason);
      else if (come.kind === "text") wire.sendText(come.text);
      else wire.send(new Uint8Array(come.bytes));
    }
    this.forget();
  }

  send(message: Outgoing): void {
    this.wire.send(message);
  }

  close(code: number | undefined, reason: string): void {
    if (this.hasSentClose) return;
    this.hasSentClose = true;
    this.wire.close(code, reason);
  }

  /** Nobody is here any more: the other side hears of a broken connection. */
  drop(): void {
    this.#leave();
    this.wire.drop();
  }

  /** The same, but the other side hears what was sent before. */
  abandon(): void {
    this.#leave();
    this.wire.end();
  }

  #leave(): void {
    this.#taker = NOBODY;
    this.hasHeardClose = true;
    this.hasSentClose = true;
  }

  /** Bytes that have come and weren't heard yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** From the other end: what is sent there may be part of something large, or be changed, so it is copied. */
  arrive(message: Outgoing): void {
    this.#put(
      typeof message === "string"
        ? { kind: "text", text: textFrame(message) }
        : { kind: "bytes", bytes: exact(message) },
    );
  }

  /** What has come and wasn't heard: whoever sent it has failed. */
  forget(): void {
    this.#first = undefined;
    this.#last = undefined;
    this.#waiting = 0;
  }

  arriveClose(code: number, reason: string, wasClean: boolean): void {
    this.#put({ kind: "close", code, reason, wasClean });
  }

  arriveFault(error: Error): void {
    this.#put({ kind: "fault", error });
  }

  /** From the network, at once: its turn has just begun. */
  hear(data: Incoming): void {
    if (this.hasHeardClose) return;
    if (this.#taker !== undefined && this.#first === undefined) this.#taker.message(this, data);
    else this.arrive(typeof data === "string" ? data : new Uint8Array(data));
  }

  deliver(): void {
    const come = this.#first;
    if (come === undefined) return;
    this.#first = come.next;
    if (come.next === undefined) this.#last = undefined;
    this.#waiting -= bytesOf(come);
    if (this.hasHeardClose || this.#taker === undefined) return;
    if (come.kind === "text") {
      this.#taker.message(this, textOf(come.text));
      forgetFramed();
    } else if (come.kind === "bytes") this.#taker.message(this, come.bytes);
    else if (come.kind === "fault") {
      this.hasHeardClose = true;
      this.#taker.faulty(this, come.error);
    } else {
      this.hasHeardClose = true;
      this.#taker.closed(this, come.code, come.reason, come.wasClean);
    }
  }

  #put(come: Come): void {
    if (this.#last === undefined) this.#first = come;
    else this.#last.next = come;
    this.#last = come;
    this.#waiting += bytesOf(come);
    if (this.#taker !== undefined) deliverLater(this);
  }
}

function bytesOf(come: Come): number {
  if (come.kind === "text") return messageBytes(come.text);
  return come.kind === "bytes" ? come.bytes.byteLength : 0;
}

const NOBODY: Taker = { message() {}, closed() {}, faulty() {} };

/** A buffer of its own with these bytes. */
export function exact(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.prototype.slice.call(bytes).buffer as ArrayBuffer;
}

/** To the other end of the same pair. */
class Within implements Wire {
  other: End | undefined;

  get buffered(): number {
    return this.other?.waiting ?? 0;
  }

  send(message: Outgoing): void {
    this.other?.arrive(message);
  }

  close(code: number | undefined, reason: string): void {
    this.other?.arriveClose(code ?? NO_CODE, reason, true);
  }

  drop(): void {
    this.other?.forget();
    this.end();
  }

  end(): void {
    this.other?.arriveClose(ABNORMAL, BROKEN, false);
  }

  pause(): void {}
  resume(): void {}
}

/** Two ends: what is sent at one comes to the other. */
export function pairOfEnds(): readonly [End, End] {
  const [there, back] = [new Within(), new Within()];
  const ends = [new End(there), new End(back)] as const;
  there.other = ends[1];
  back.other = ends[0];
  return ends;
}

/** The end at the other side of one, within this process. */
export function otherEnd(end: End): End | undefined {
  return end.wire instanceof Within ? end.wire.other : undefined;
}
