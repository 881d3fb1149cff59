/**
 * A subscriber that shares no code with the product: it reads PROTOCOL.md's frames with JSON.parse and checks the
 * rule of continuity by itself, so that tests don't agree with our own decoder only.
 */
import WebSocket from "ws";
import { Happenings } from "./deadline.ts";

export interface RawUpdate {
  readonly e: string;
  readonly epoch: string;
  readonly offset: number;
  readonly previous: number | undefined;
  readonly t: number | undefined;
  readonly h: readonly (readonly (string | null)[])[];
  /** The bytes that were produced; null for a tombstone. */
  readonly value: Buffer | null;
}

export interface RawVerdict {
  readonly position: string;
  readonly head: string;
  readonly recovered?: boolean;
  readonly cause?: string;
}

export class RawSubscriber {
  readonly updates: RawUpdate[] = [];
  readonly verdicts: RawVerdict[] = [];
  readonly resets: RawVerdict[] = [];
  /** Control frames other than verdicts and resets. */
  readonly others: Record<string, unknown>[] = [];
  /** What broke the rule of continuity, in words; empty where nothing did. */
  readonly violations: string[] = [];
  closed: { code: number; reason: string } | undefined;
  readonly socket: WebSocket;
  /** epoch → offset */
  #at = new Map<string, number>();
  readonly #happenings = new Happenings();

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.socket = new WebSocket(url, ["distributary.v1"], {
      headers,
      perMessageDeflate: false,
      maxPayload: 64 * 1024 * 1024,
    });
    this.socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#binary(data);
      else for (const frame of data.toString("utf8").split("\u001e")) this.#text(frame);
      this.#happenings.happened();
    });
    this.socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#happenings.happened();
    });
    this.socket.on("error", () => this.#happenings.happened());
  }

  get position(): string {
    const components = [...this.#at].map(([epoch, offset]) => `${epoch}:${offset}`);
    return components.sort().join(",") || "-";
  }

  send(frame: unknown): void {
    this.socket.send(
      typeof frame === "string" || frame instanceof Uint8Array ? frame : JSON.stringify(frame),
    );
  }

  /** Resolves when the condition holds; rejects at the deadline with what there was. */
  async until(condition: (self: this) => boolean, what: string, deadlineMs?: number): Promise<this> {
    await this.#happenings.until(
      () => condition(this),
      () => `${what}; ${this.#summary()}`,
      deadlineMs,
    );
    return this;
  }

  verdict(): Promise<RawVerdict> {
    return this.until((s) => s.verdicts.length > 0, "a verdict").then((s) => s.verdicts[0] as RawVerdict);
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    // One that isn't connected yet fails by this.
    this.socket.close();
    await this.until(({ closed }) => closed !== undefined, "its end");
  }

  /** Goes without a word, as a client in a tunnel does. */
  cut(): void {
    this.socket.terminate();
  }

  #summary(): string {
    const last = this.updates.at(-1);
    return `${this.updates.length} updates, last ${last && `${last.epoch}:${last.offset}`}, ${JSON.stringify(this.others.at(-1))}, closed ${JSON.stringify(this.closed)}`;
  }

  #text(frame: string): void {
    const json = JSON.parse(frame) as Record<string, unknown>;
    if (typeof json.e === "string") this.#update(json, frame, undefined);
    else if (typeof (json.ok as Partial<RawVerdict> | undefined)?.head === "string")
      this.#adopt(json.ok as RawVerdict, this.verdicts);
    else if (json.reset !== undefined) this.#adopt(json as unknown as RawVerdict, this.resets);
    else this.others.push(json);
  }

  #binary(message: Buffer): void {
    for (let at = 0; at < message.length; ) {
      const newline = message.indexOf(0x0a, at);
      const json = JSON.parse(message.toString("utf8", at, newline)) as Record<string, unknown>;
      const end = newline + 1 + (json.n as number);
      this.#update(json, "", Buffer.from(message.subarray(newline + 1, end)));
      at = end;
    }
  }

  #adopt(verdict: RawVerdict, list: RawVerdict[]): void {
    list.push(verdict);
    this.#at = new Map();
    if (verdict.position === "-") return;
    for (const component of verdict.position.split(",")) {
      const colon = component.lastIndexOf(":");
      this.#at.set(component.slice(0, colon), Number(component.slice(colon + 1)));
    }
  }

  #update(json: Record<string, unknown>, frame: string, bytes: Buffer | undefined): void {
    const p = json.p as string;
    const epoch = p.slice(0, p.lastIndexOf(":"));
    const offset = Number(p.slice(p.lastIndexOf(":") + 1));
    const previous = json.q as number | undefined;
    const at = this.#at.get(epoch) ?? -1;
    if (this.verdicts.length === 0) this.violations.push(`${p} came before a verdict`);
    if (offset <= at) this.violations.push(`${p} came again at ${at}`);
    if ((previous ?? -1) > at) this.violations.push(`${p} follows ${previous}, but the receiver is at ${at}`);
    this.#at.set(epoch, offset);
    const value = bytes ?? valueIn(json, frame);
    const h = (json.h ?? []) as RawUpdate["h"];
    this.updates.push({
      e: json.e as string,
      epoch,
      offset,
      previous,
      t: json.t as number | undefined,
      h,
      value,
    });
  }
}

/** The bytes of a value in a text frame: JSON as it stands in the frame, a string decoded. */
function valueIn(json: Record<string, unknown>, frame: string): Buffer | null {
  if (json.d === true || json.o !== undefined) return null;
  if (typeof json.s === "string") return Buffer.from(json.s, "utf8");
  return Buffer.from(frame.slice(frame.indexOf(',"v":') + 5, -1), "utf8");
}
