/**
 * A client of many endpoints on one connection that shares no code with the product: it reads PROTOCOL.md's frames with
 * JSON.parse and checks the rule of continuity by itself, endpoint by endpoint.
 */
import WebSocket from "ws";

interface Verdict {
  readonly position: string;
  readonly head: string;
  readonly recovered?: boolean;
}

export interface Followed {
  /** epoch → offset */
  at: Map<string, number> | undefined;
  /** Values as JSON has them; null for a tombstone. */
  readonly values: unknown[];
  readonly verdicts: Verdict[];
}

type Frame = Record<string, unknown>;

export class RawConnection {
  readonly socket: WebSocket;
  /** Answers by id: what `ok`, or the code of the error. */
  readonly answers = new Map<number, unknown>();
  /** Everything that is neither an update, a verdict nor an answer. */
  readonly others: Frame[] = [];
  readonly violations: string[] = [];
  readonly endpoints = new Map<string, Followed>();
  messages = 0;
  closed: { code: number; reason: string } | undefined;
  #lastId = 0;
  readonly #paths = new Map<number, string>();
  readonly #waiting = new Set<() => void>();

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.socket = new WebSocket(url, ["distributary.v1"], {
      headers,
      perMessageDeflate: false,
      maxPayload: 64 * 1024 * 1024,
    });
    this.socket.on("message", (data: Buffer) => {
      this.messages++;
      for (const frame of data.toString("utf8").split("\u001e")) this.#frame(JSON.parse(frame) as Frame);
      for (const done of [...this.#waiting]) done();
    });
    this.socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      for (const done of [...this.#waiting]) done();
    });
    this.socket.on("error", () => undefined);
  }

  async open(): Promise<this> {
    return this.until(
      ({ socket, closed }) => socket.readyState === WebSocket.OPEN || closed !== undefined,
      "open",
      () =>
        this.socket.once("open", () => {
          for (const done of [...this.#waiting]) done();
        }),
    );
  }

  /** Subscribes to each path, from where it is if it is told; in messages of at most 16 KiB. */
  subscribe(paths: readonly string[], from: ReadonlyMap<string, string> = new Map()): number[] {
    const all = paths.map((sub) => {
      const id = ++this.#lastId;
      this.#paths.set(id, sub);
      return { id, sub, from: from.get(sub) };
    });
    for (let at = 0; at < all.length; at += 100)
      this.socket.send(JSON.stringify({ subs: all.slice(at, at + 100) }));
    return all.map(({ id }) => id);
  }

  unsubscribe(path: string): number {
    const id = ++this.#lastId;
    this.#paths.set(id, path);
    this.socket.send(JSON.stringify({ id, unsub: path }));
    return id;
  }

  send(frame: unknown): void {
    const isAsItIs = typeof frame === "string" || frame instanceof Uint8Array;
    this.socket.send(isAsItIs ? frame : JSON.stringify(frame));
  }

  of(path: string): Followed {
    const followed = this.endpoints.get(path) ?? { at: undefined, values: [], verdicts: [] };
    this.endpoints.set(path, followed);
    return followed;
  }

  /** Where each endpoint is. */
  positions(): Map<string, string> {
    const all = [...this.endpoints].map(([path, { at }]): [string, string] => [
      path,
      [...(at ?? [])]
        .map(([epoch, offset]) => `${epoch}:${offset}`)
        .sort()
        .join(",") || "-",
    ]);
    return new Map(all);
  }

  /** Resolves when the condition holds; rejects at the deadline with what there was. */
  async until(condition: (self: this) => boolean, what: string, begin?: () => void): Promise<this> {
    const deadline = performance.now() + 60_000;
    begin?.();
    while (!condition(this)) {
      const left = deadline - performance.now();
      if (left <= 0)
        throw new Error(`not in time: ${what}; ${this.answers.size} answers, ${JSON.stringify(this.closed)}`);
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          this.#waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, Math.min(left, 1_000));
        this.#waiting.add(done);
      });
    }
    return this;
  }

  answered(ids: readonly number[]): Promise<this> {
    return this.until(({ answers }) => ids.every((id) => answers.has(id)), `answers to ${ids.length}`);
  }

  close(): void {
    this.socket.close();
  }

  #frame(frame: Frame): void {
    const { id, ok, error } = frame as { id?: number; ok?: Frame; error?: { code: string } };
    if (typeof frame.e === "string") this.#update(frame);
    else if (typeof id === "number" && (ok !== undefined || error !== undefined)) {
      if (this.answers.has(id)) this.violations.push(`${id} was answered twice`);
      this.answers.set(id, ok ?? error?.code);
      const path = this.#paths.get(id);
      // What was published has no path here, and its position is no verdict's.
      if (path === undefined) return;
      if (typeof ok?.position === "string") this.#adopt(path, ok as unknown as Verdict);
      if (ok?.unsub !== undefined) this.of(path).at = undefined;
    } else this.others.push(frame);
  }

  #adopt(path: string, verdict: Verdict): void {
    const followed = this.of(path);
    followed.verdicts.push(verdict);
    followed.at = new Map();
    for (const component of verdict.position === "-" ? [] : verdict.position.split(",")) {
      const colon = component.lastIndexOf(":");
      followed.at.set(component.slice(0, colon), Number(component.slice(colon + 1)));
    }
  }

  #update(frame: Frame): void {
    const [path, p] = [String(frame.e), String(frame.p)];
    const epoch = p.slice(0, p.lastIndexOf(":"));
    const offset = Number(p.slice(p.lastIndexOf(":") + 1));
    const followed = this.of(path);
    const { at } = followed;
    if (at === undefined) this.violations.push(`${path} at ${p}, which isn't followed`);
    const before = at?.get(epoch) ?? -1;
    if (offset <= before) this.violations.push(`${path}: ${p} came again at ${before}`);
    if (((frame.q as number | undefined) ?? -1) > before)
      this.violations.push(`${path}: ${p} follows ${String(frame.q)}, but it is at ${before}`);
    at?.set(epoch, offset);
    followed.values.push(frame.d === true ? null : (frame.v ?? frame.s));
  }
}
