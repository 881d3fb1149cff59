/** A client of a probe, which notes what it hears, and a way to call the probe's object. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { eventually } from "../support/deadline.ts";
import type { Started } from "../support/runtimes.ts";

export class Client {
  readonly socket: WebSocket;
  readonly heard: string[] = [];

  constructor(url: string, protocols: string[] = []) {
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false });
    this.socket.on("message", (data: Buffer, isBinary: boolean) =>
      this.heard.push(isBinary ? `${data.length} bytes` : data.toString()),
    );
    this.socket.on("close", (code, reason) => this.heard.push(`closed ${code} "${reason}"`));
    this.socket.on("error", (error) => this.heard.push(`error ${error.message}`));
  }

  async open(): Promise<this> {
    await once(this.socket, "open");
    return this;
  }

  say(...all: readonly string[]): this {
    for (const text of all) this.socket.send(text);
    return this;
  }

  /** Resolves when it has heard so many things. */
  async hears(count: number): Promise<readonly string[]> {
    await eventually(
      () => this.heard.length >= count,
      () => `${count} things heard, not only ${JSON.stringify(this.heard)}`,
      10_000,
    );
    return this.heard;
  }
}

export class Probing {
  readonly started: Started;

  constructor(started: Started) {
    this.started = started;
  }

  get url(): string {
    return this.started.url;
  }

  /** A client of an object that is open. */
  async client(name: string, query = "", protocols: string[] = []): Promise<Client> {
    const url = `${this.url.replace("http", "ws")}/socket?name=${encodeURIComponent(name)}${query}`;
    return new Client(url, protocols).open();
  }

  async get(path: string): Promise<unknown> {
    return (await fetch(`${this.url}${path}`)).json();
  }

  /** What a call of an object comes to. */
  async outcome(name: string, method: string, ...args: readonly unknown[]): Promise<unknown> {
    const query = new URLSearchParams({ name, args: JSON.stringify(args) });
    return this.get(`/call/${method}?${query}`);
  }

  /** What a call of an object returns. */
  async call(name: string, method: string, ...args: readonly unknown[]): Promise<unknown> {
    const outcome = (await this.outcome(name, method, ...args)) as { readonly value?: unknown };
    if ("error" in outcome) throw new Error(String(outcome.error));
    return outcome.value;
  }

  /** What an object has noted, once there are so many notes that begin so. */
  async notes(name: string, count: number, beginning = ""): Promise<readonly string[]> {
    let notes: readonly string[] = [];
    await eventually(
      async () => {
        notes = (await this.call(name, "noted")) as readonly string[];
        return notes.filter((note) => note.startsWith(beginning)).length >= count;
      },
      () => `${count} notes, not only ${JSON.stringify(notes)}`,
      10_000,
    );
    return notes;
  }

  async evict(name: string): Promise<void> {
    await this.started.evict("Probe", name);
  }
}
