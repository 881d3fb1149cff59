/**
 * The other edges at the address of this one, as its Worker finds them: each can be asked what a client could ask it. A connection
 * that shall be a WebSocket isn't led through this process: it is handed over as it is.
 */
import type { Socket } from "node:net";
import { type WebSocket, WebSocketPair } from "../sockets/web-socket.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { Request } from "../web/request.ts";
import { Response } from "../web/response.ts";
import type { Answer, Passed, PassedOn, Place, Question } from "./passed.ts";
import { stopReading } from "./stop-reading.ts";

export interface SiblingPorts {
  send(message: Passed, connection?: Socket): void;
  /** Answers a question of another edge. */
  answer(request: Request): Promise<Response>;
  /** Takes a connection that another edge has passed on. */
  connect(connection: Socket): void;
}

/** As the Worker finds them in its environment. */
export interface SiblingBinding {
  readonly number: number;
  readonly count: number;
  /** By number. None, if one of them asks. */
  readonly others: ReadonlyMap<number, { fetch(request: Request): Promise<Response> }>;
}

/** Questions that aren't answered yet. */
const MOST_ASKED = 1_000;

/** By the socket that stands for it: the edge to which a connection goes. */
const passedTo = new WeakMap<WebSocket, number>();

/** undefined: it is this edge's own. */
export function siblingOf(webSocket: WebSocket): number | undefined {
  return passedTo.get(webSocket);
}

export class Siblings {
  /** For requests of clients. */
  readonly binding: SiblingBinding;
  /** For those of siblings, so that nothing is passed on twice. */
  readonly askedBinding: SiblingBinding;
  readonly #place: Place;
  readonly #ports: SiblingPorts;
  readonly #asked = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(place: Place, ports: SiblingPorts) {
    this.#place = place;
    this.#ports = ports;
    const { number, count } = place;
    const others = Array.from({ length: count }, (_, other) => other).filter((other) => other !== number);
    const asked = (other: number) => ({ fetch: (request: Request) => this.#fetch(other, request) });
    this.binding = { number, count, others: new Map(others.map((other) => [other, asked(other)])) };
    this.askedBinding = { number, count, others: new Map() };
  }

  /** Hands a connection over, of which so much has been taken. */
  passOn(to: number, connection: Socket, taken: Buffer): void {
    const from = this.#place.number;
    const more: Buffer | null = connection.read();
    stopReading(connection);
    const read = Buffer.concat(more === null ? [taken] : [taken, more]).toString("base64");
    this.#ports.send({ kind: "connection", from, to, read }, connection);
  }

  hear(said: Passed, connection: Socket | undefined): void {
    if (said.kind === "connection") this.#connect(said, connection);
    else if (said.kind === "question") void this.#answer(said);
    else this.#asked.get(said.id)?.(said);
  }

  #connect({ read }: PassedOn, connection: Socket | undefined): void {
    if (connection === undefined) return;
    connection.unshift(Buffer.from(read, "base64"));
    this.#ports.connect(connection);
  }

  async #fetch(to: number, request: Request): Promise<Response> {
    if (request.headers.get("Upgrade") !== null) {
      const { 0: standsForIt } = new WebSocketPair();
      passedTo.set(standsForIt, to);
      return new Response(null, { status: 101, webSocket: standsForIt });
    }
    if (this.#asked.size >= MOST_ASKED) throw new Error("too much is asked of the other edges here");
    const id = ++this.#last;
    const { method, url, headers, cf } = request;
    const from = this.#place.number;
    const question: Question = { kind: "question", from, to, id, method, url, headers: [...headers], cf };
    const answered = new Promise<Answer>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`edge ${to} here doesn't answer`)),
        TIME_LIMITS.siblingMs,
      );
      this.#asked.set(id, (answer) => {
        clearTimeout(late);
        resolve(answer);
      });
    }).finally(() => this.#asked.delete(id));
    this.#ports.send(question);
    const { status, headers: told, body } = await answered;
    return new Response(body, {
      status,
      headers: told.map(([name, value]): [string, string] => [name, value]),
    });
  }

  async #answer({ from, id, method, url, headers, cf }: Question): Promise<void> {
    const to = { from: this.#place.number, to: from, id };
    try {
      const given = headers.map(([name, value]): [string, string] => [name, value]);
      const response = await this.#ports.answer(new Request(url, { method, headers: given, cf }));
      const { status, headers: told } = response;
      const body = await response.text();
      this.#ports.send({ kind: "answer", ...to, status, headers: [...told], body });
    } catch (error) {
      console.error("a question of another edge here:", error);
      this.#ports.send({ kind: "answer", ...to, status: 500, headers: [], body: "" });
    }
  }
}
