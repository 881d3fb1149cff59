/**
 * A client of event streams that shares no code with the product: it reads the form of the HTML standard by itself, and checks
 * the rule of continuity by what the updates say. It comes back as EventSource does, if it is told to.
 */
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { Happenings } from "./deadline.ts";

export interface RawEvent {
  readonly type: string;
  readonly id: string;
  readonly data: Record<string, unknown>;
  /** As it came. */
  readonly text: string;
}

export class RawEvents {
  readonly events: RawEvent[] = [];
  /** Lines that are comments. */
  comments = 0;
  /** Of the last `retry:`. */
  retryMs: number | undefined;
  /** What broke the rule of continuity, in words. */
  readonly violations: string[] = [];
  status: number | undefined;
  headers: IncomingMessage["headers"] = {};
  /** Of an answer that is no stream. */
  body = "";
  ended = false;
  lastId = "";
  /** Of each endpoint that the URL names, in its order; of "" in the stream of one endpoint. */
  readonly #at: ReadonlyMap<string, Place>;
  readonly #request: ClientRequest;
  #response: IncomingMessage | undefined;
  #left = "";
  readonly #happenings = new Happenings();

  constructor(url: string, headers: Readonly<Record<string, string>> = {}, { reads = true } = {}) {
    this.lastId = headers["Last-Event-ID"] ?? "";
    const subs = new URL(url).searchParams.getAll("sub");
    const from = this.lastId.split(";");
    this.#at = new Map(
      (subs.length === 0 ? [""] : subs).map((path, i) => [
        path,
        { position: from[i] || undefined, told: false },
      ]),
    );
    this.#request = request(url, {
      agent: false,
      headers: { Accept: "text/event-stream", ...headers },
    });
    this.#request.on("response", (response) => {
      this.#response = response;
      this.status = response.statusCode;
      this.headers = response.headers;
      response.setEncoding("utf8");
      const isStream = response.headers["content-type"]?.startsWith("text/event-stream");
      const listen = () =>
        response.on("data", (text: string) => {
          if (isStream) this.#read(text);
          else this.body += text;
          this.#happenings.happened();
        });
      if (reads) listen();
      else this.read = listen;
      response.on("close", () => this.#end());
      response.on("error", () => this.#end());
      this.#happenings.happened();
    });
    this.#request.on("error", () => this.#end());
    this.#request.end();
  }

  /** Of one that didn't read: it begins to. */
  read: () => void = () => {};

  get updates(): readonly Record<string, unknown>[] {
    return this.events.filter(({ type }) => type === "message").map(({ data }) => data);
  }

  of(type: string): readonly Record<string, unknown>[] {
    return this.events.filter((event) => event.type === type).map(({ data }) => data);
  }

  /** The bytes that were produced. */
  get values(): readonly (Buffer | null)[] {
    return this.events.filter(({ type }) => type === "message").map(bytesOf);
  }

  async until(condition: (self: this) => boolean, what: string, deadlineMs?: number): Promise<this> {
    const summary = () =>
      `${what}; status ${this.status}, ${this.updates.length} updates, last ${JSON.stringify(this.events.at(-1))}, ended ${this.ended}`;
    await this.#happenings.until(() => condition(this), summary, deadlineMs);
    return this;
  }

  /** Goes without a word. */
  cut(): void {
    this.#response?.destroy();
    this.#request.destroy();
  }

  #end(): void {
    this.ended = true;
    this.#happenings.happened();
  }

  #read(text: string): void {
    this.#left += text;
    for (;;) {
      const end = this.#left.indexOf("\n\n");
      if (end < 0) return;
      const block = this.#left.slice(0, end);
      this.#left = this.#left.slice(end + 2);
      this.#block(block);
    }
  }

  #block(block: string): void {
    let type = "message";
    const lines: string[] = [];
    for (const line of block.split("\n")) {
      if (line.startsWith(":")) this.comments++;
      else if (line.startsWith("event: ")) type = line.slice(7);
      else if (line.startsWith("id: ")) this.lastId = line.slice(4);
      else if (line.startsWith("retry: ")) this.retryMs = Number(line.slice(7));
      else if (line.startsWith("data: ")) lines.push(line.slice(6));
      else this.violations.push(`a line that is none: ${line}`);
    }
    if (lines.length === 0) return;
    const data = JSON.parse(lines.join("\n")) as Record<string, unknown>;
    this.events.push({ type, id: this.lastId, data, text: lines.join("\n") });
    if (type === "verdict" || type === "reset")
      Object.assign(this.#placeOf(data), { position: String(data.position), told: true });
    if (type === "message") this.#update(data);
  }

  #placeOf(data: Record<string, unknown>): Place {
    const place = this.#at.get(this.#at.has("") ? "" : String(data.e));
    if (place === undefined) throw new Error(`${String(data.e)} is no endpoint of this stream`);
    return place;
  }

  #update(data: Record<string, unknown>): void {
    const place = this.#placeOf(data);
    const [epoch, offset] = splitComponent(String(data.p));
    const at = componentsOf(place.position);
    const before = at.get(epoch) ?? -1;
    if (!place.told) this.violations.push(`${data.p} came before a verdict`);
    if (offset <= before) this.violations.push(`${data.p} came again at ${before}`);
    if (Number(data.q ?? -1) > before)
      this.violations.push(`${data.p} follows ${data.q}, but it stands at ${before}`);
    at.set(epoch, offset);
    place.position = Array.from(at, ([name, offset]) => `${name}:${offset}`)
      .sort()
      .join(",");
    const id = Array.from(this.#at.values(), ({ position = "" }) => position).join(";");
    if (id !== this.lastId) this.violations.push(`at ${id} the id is ${this.lastId}`);
  }
}

/** Where a client of an endpoint stands. */
interface Place {
  position: string | undefined;
  /** Whether it had a verdict on this stream. */
  told: boolean;
}

function componentsOf(position = "-"): Map<string, number> {
  return new Map(position === "-" ? [] : position.split(",").map((part) => splitComponent(part)));
}

function splitComponent(text: string): [epoch: string, offset: number] {
  const colon = text.lastIndexOf(":");
  return [text.slice(0, colon), Number(text.slice(colon + 1))];
}

function bytesOf({ data, text }: RawEvent): Buffer | null {
  if (data.d === true || data.o !== undefined) return null;
  if (typeof data.b === "string") return Buffer.from(data.b, "base64");
  if (typeof data.s === "string") return Buffer.from(data.s, "utf8");
  return Buffer.from(text.slice(text.indexOf(',"v":') + 5, -1), "utf8");
}
