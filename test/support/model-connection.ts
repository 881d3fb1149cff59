/**
 * A client of many endpoints that believes nothing: each subscribe must be answered once, each `unsub` too, and nothing may be
 * said of an endpoint after that (M3–M6). What it is sent of each endpoint is judged by a receiver of its own.
 */

import type { ErrorBody } from "../../shared/protocol/error-body.ts";
import { type Frame, routingOf } from "../../shared/protocol/frame.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { formatPosition, OLDEST, type Position } from "../../shared/protocol/position.ts";
import { isUpdate } from "../../shared/protocol/subscriber.ts";
import { ModelPublisher } from "./model-publisher.ts";
import { ModelReceiver } from "./model-receiver.ts";
import { End } from "./simulated-wires.ts";

export interface ModelConnectionPorts {
  dial(): End;
  now(): number;
  random(): number;
  after(ms: number, run: () => void): () => void;
  /** How much has been written so far. */
  written(): number;
  /** A new receiver begins. */
  receives(receiver: ModelReceiver): void;
  /** One says from where it wants to go on. */
  names(receiver: ModelReceiver, from: Position | undefined): void;
}

/** What was said and not answered. */
type Open =
  /** `as`: the receiver's own id. */
  | { readonly kind: "sub"; readonly path: string; readonly receiver: ModelReceiver; readonly as: number }
  | { readonly kind: "unsub"; readonly path: string };

interface Control {
  readonly id?: number;
  readonly reset?: string;
  readonly ok?: { readonly unsub?: string; readonly position?: string };
  readonly wait?: unknown;
  readonly error?: ErrorBody;
  readonly pong?: unknown;
}

/** In other bytes than those that the runtime answers by itself. */
const PING_FRAME = '{"ping":1,"of":"a model"}';

export class ModelConnection {
  readonly violations: string[] = [];
  readonly publisher: ModelPublisher;
  readonly #ports: ModelConnectionPorts;
  /** What it means to follow, by path, and from where it began. */
  readonly #wanted = new Map<
    string,
    { readonly receiver: ModelReceiver; readonly from: Position | undefined }
  >();
  /** Whose the frames about a path are: nobody's before a first verdict, and after an `unsub` was answered. */
  readonly #heard = new Map<string, ModelReceiver>();
  readonly #open = new Map<number, Open>();
  #lastId = 0;
  #end: End | undefined;
  left = false;
  /** Answers to subscribes and unsubs, and of these `superseded`. */
  answers = 0;
  superseded = 0;

  constructor(ports: ModelConnectionPorts) {
    this.#ports = ports;
    this.publisher = new ModelPublisher({
      now: () => ports.now(),
      random: () => ports.random(),
      after: (ms, run) => ports.after(ms, run),
      nextId: () => this.#lastId + 1,
      send: (frame) => {
        this.#lastId++;
        this.#end?.send(frame);
      },
    });
  }

  get end(): End | undefined {
    return this.#end;
  }

  get wanted(): readonly string[] {
    return [...this.#wanted.keys()];
  }

  get unanswered(): number {
    return this.#open.size;
  }

  dial(): void {
    const end = this.#ports.dial();
    this.#end = end;
    this.#lastId = 0;
    this.#open.clear();
    this.#heard.clear();
    end.listener = {
      message: (message) => this.#receive(message),
      close: () => {
        if (this.#end !== end) return;
        this.#end = undefined;
        if (!this.left) this.publisher.lost();
        this.#ports.after(100, () => {
          if (!this.left) this.dial();
        });
      },
    };
    end.send(PING_FRAME);
    // All that it follows, each from where it is.
    const subs = [...this.#wanted].map(([path, { receiver, from }]) =>
      this.#begin(path, receiver, receiver.position ?? from),
    );
    if (subs.length > 0) end.send(JSON.stringify({ subs }));
  }

  /** Subscribes, or subscribes again. */
  sub(path: string, from: Position | undefined): void {
    if (this.left) return;
    const known = this.#wanted.get(path)?.receiver;
    const receiver = known ?? new ModelReceiver(path, () => this.#ports.written());
    if (known === undefined) {
      this.#wanted.set(path, { receiver, from });
      this.#ports.receives(receiver);
    }
    if (!this.#end?.open) return;
    this.#ports.names(receiver, from);
    const said = known === undefined ? this.#begin(path, receiver, from) : this.#again(path, receiver, from);
    this.#end.send(JSON.stringify(said));
  }

  unsub(path: string): void {
    if (this.left) return;
    const wanted = this.#wanted.get(path);
    this.#wanted.delete(path);
    if (wanted !== undefined) wanted.receiver.left = true;
    if (!this.#end?.open) return;
    const id = ++this.#lastId;
    this.#open.set(id, { kind: "unsub", path });
    this.#end.send(JSON.stringify({ id, unsub: path }));
  }

  /** Whether it is connected or not. */
  publish(path: string, value: string, order: "wait" | "reject" | "none"): void {
    if (!this.left) this.publisher.publish(path, value, order);
  }

  leave(): void {
    this.left = true;
    this.publisher.end();
    for (const { receiver } of this.#wanted.values()) receiver.left = true;
    this.#wanted.clear();
    if (this.#end?.open) this.#end.close(1000);
  }

  #begin(path: string, receiver: ModelReceiver, from: Position | undefined): object {
    // What it hears it is told here.
    receiver.begin(new End(() => undefined), from, () => undefined);
    return this.#says(path, receiver, 0, from);
  }

  #again(path: string, receiver: ModelReceiver, from: Position | undefined): object {
    const { id } = JSON.parse(receiver.asks(from)) as { id: number };
    return this.#says(path, receiver, id, from);
  }

  #says(path: string, receiver: ModelReceiver, as: number, from: Position | undefined): object {
    const id = ++this.#lastId;
    this.#open.set(id, { kind: "sub", path, receiver, as });
    // Those who want all begin with the oldest, which a simulation's relay takes for that.
    const isOldest = from?.size === 0 && id % 2 === 0;
    return { id, sub: path, from: isOldest ? OLDEST : from && formatPosition(from) };
  }

  #receive(message: Message): void {
    const frames = typeof message === "string" ? splitText(message) : (splitBinary(message) ?? []);
    for (const frame of frames) {
      if (typeof frame !== "string" || isUpdate(frame)) this.#tell(routingOf(frame)?.endpoint ?? "", frame);
      else this.#control(frame, JSON.parse(frame) as Control);
    }
  }

  #control(frame: string, control: Control): void {
    const { id, reset } = control;
    if (control.pong !== undefined) {
      this.publisher.opened();
      return;
    }
    if (id === undefined && control.error?.code === "unknown_outcome") {
      this.publisher.nobodyKnows(control.error);
      return;
    }
    if (id !== undefined && this.publisher.awaits(id)) {
      this.publisher.answered(id, control.ok?.position, control.error);
      return;
    }
    if (reset !== undefined) {
      this.#tell(reset, frame);
      return;
    }
    const open = id === undefined ? undefined : this.#open.get(id);
    if (id === undefined || open === undefined) {
      this.violations.push(`nobody asked for ${frame}`);
      return;
    }
    if (control.wait === undefined) {
      this.#open.delete(id);
      this.answers++;
    }
    if (control.error !== undefined) this.#refused(id, open, control.error.code);
    else if (open.kind === "sub") {
      if (control.ok !== undefined) this.#heard.set(open.path, open.receiver);
      hear(open.receiver, JSON.stringify({ ...control, id: open.as }));
    } else {
      this.#heard.delete(open.path);
      if (control.ok?.unsub !== open.path) this.violations.push(`no answer to an unsub: ${frame}`);
    }
  }

  /** Nothing is refused in a simulation but what another took the place of. */
  #refused(id: number, open: Open, code: string): void {
    const isOvertaken = [...this.#open].some(([other, { path }]) => other > id && path === open.path);
    if (code === "superseded" && open.kind === "sub" && isOvertaken) this.superseded++;
    else this.violations.push(`${code} for ${open.kind} ${open.path}`);
  }

  #tell(path: string, frame: Frame): void {
    const receiver = this.#heard.get(path);
    if (receiver === undefined) this.violations.push(`${path} isn't followed: ${String(frame)}`);
    else hear(receiver, frame);
  }
}

function hear(receiver: ModelReceiver, frame: Frame): void {
  receiver.end?.listener?.message(frame);
}
