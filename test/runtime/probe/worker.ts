/**
 * A Worker and a class of objects that use each primitive of the platform that the edge uses, so that what they do can be
 * compared between runtimes: what happens is noted, and asked for.
 */
import { DurableObject } from "cloudflare:workers";

interface Env {
  readonly PROBE: DurableObjectNamespace<Probe>;
}

/** In words, so that both runtimes can be held to it. */
type Note = string;

const outcome = (run: () => unknown): Note => {
  try {
    run();
    return "done";
  } catch (error) {
    return error instanceof Error ? "refused" : "threw something else";
  }
};

const textOf = (data: string | ArrayBuffer | ArrayBufferView) =>
  typeof data === "string"
    ? data
    : `${data.byteLength} bytes, from ${new Uint8Array(data as ArrayBuffer)[0]} on`;

/** What the Worker has noted. */
const left: Note[] = [];

export class Probe extends DurableObject<Env> {
  readonly life = crypto.randomUUID();
  readonly notes: Note[] = [];
  dialled: WebSocket | undefined;
  answersCloses = true;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    if (ctx.id.name?.startsWith("broken")) throw new Error("it can't be made");
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS kept (value TEXT)");
    if (ctx.id.name?.startsWith("blocked"))
      void ctx.blockConcurrencyWhile(async () => {
        this.notes.push("begins");
        await new Promise((resolve) => setTimeout(resolve, 50));
        this.notes.push("has begun");
        if (ctx.id.name === "blocked in vain") throw new Error("it can't begin");
      });
  }

  override async fetch(request: Request): Promise<Response> {
    const query = new URL(request.url).searchParams;
    this.notes.push("request");
    if (query.has("fail")) throw new RangeError("no answer");
    if (query.has("plain"))
      return Response.json({ method: request.method, body: await request.text() }, { status: 418 });
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, query.getAll("tag"));
    if (query.has("greet")) server.send("welcome");
    if (query.has("write")) {
      this.ctx.storage.sql.exec("INSERT INTO kept (value) VALUES (?)", "with a socket");
      server.send("written");
    }
    const protocol = request.headers.get("Sec-WebSocket-Protocol");
    const headers = protocol === null ? undefined : { "Sec-WebSocket-Protocol": protocol };
    return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) });
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const text = textOf(data);
    this.notes.push(`message ${text}`);
    const [, order, rest = ""] = /^(\w+):(.*)$/.exec(text) ?? [];
    if (order === "say") socket.send(rest);
    if (order === "bytes") socket.send(new Uint8Array(Number(rest)).fill(7));
    if (order === "close") socket.close(...closing(rest));
    if (order === "keep") socket.serializeAttachment({ kept: rest });
    if (order === "kept") socket.send(JSON.stringify(socket.deserializeAttachment()));
    if (order === "tags") socket.send(JSON.stringify(this.ctx.getTags(socket)));
    if (order === "fail") throw new Error("a handler that fails");
    if (order === "silent") this.answersCloses = false;
    if (order === "life") socket.send(this.life);
    if (order === "twice") {
      socket.send("one");
      socket.close(4001, "first");
      this.notes.push(`close again: ${outcome(() => socket.close(4002, "second"))}`);
      this.notes.push(`send after close: ${outcome(() => socket.send("late"))}`);
    }
    if (order === "later") {
      await new Promise((resolve) => setTimeout(resolve, 20));
      this.notes.push(`after ${rest}`);
    }
    if (order === "write") {
      this.ctx.storage.sql.exec("INSERT INTO kept (value) VALUES (?)", rest);
      socket.send(`written ${rest}`);
    }
    if (order === "writeInVain") {
      socket.send("written in vain");
      const { sql } = this.ctx.storage;
      sql.exec("CREATE TABLE IF NOT EXISTS above (id INTEGER PRIMARY KEY)");
      sql.exec(
        "CREATE TABLE IF NOT EXISTS below (id INTEGER REFERENCES above DEFERRABLE INITIALLY DEFERRED)",
      );
      // What it refers to isn't there, which is seen when it is committed.
      sql.exec("INSERT INTO below (id) VALUES (1)");
      socket.send("written in vain");
    }
    if (order === "writeAndFail") {
      this.ctx.storage.sql.exec("INSERT INTO kept (value) VALUES (?)", rest);
      throw new Error("it fails after it has written");
    }
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string, wasClean: boolean): void {
    const all = this.ctx.getWebSockets();
    this.notes.push(
      `closed ${code} "${reason}" ${wasClean ? "clean" : "broken"}, ${all.includes(socket) ? "counted" : "not counted"} of ${all.length}, tags ${this.ctx.getTags(socket)}, ${JSON.stringify(socket.deserializeAttachment())}`,
    );
    this.notes.push(`send: ${outcome(() => socket.send("still there?"))}`);
    if (this.answersCloses)
      this.notes.push(`answer: ${outcome(() => socket.close(code === 1006 ? 1000 : code, "answered"))}`);
  }

  override webSocketError(_socket: WebSocket, error: unknown): void {
    this.notes.push(`error: ${error instanceof Error ? "an Error" : typeof error}`);
  }

  async noted(): Promise<readonly Note[]> {
    return this.notes;
  }

  async whichLife(): Promise<string> {
    return this.life;
  }

  async sockets(tag?: string): Promise<number> {
    return this.ctx.getWebSockets(tag).length;
  }

  async tags(of?: string): Promise<readonly (readonly string[])[]> {
    return this.ctx.getWebSockets(of).map((socket) => this.ctx.getTags(socket));
  }

  async pinged(): Promise<readonly boolean[]> {
    return this.ctx
      .getWebSockets()
      .map((socket) => this.ctx.getWebSocketAutoResponseTimestamp(socket) instanceof Date);
  }

  async sayToAll(text: string): Promise<void> {
    for (const socket of this.ctx.getWebSockets()) socket.send(text);
  }

  async acceptWith(tags: readonly string[]): Promise<Note> {
    const { 1: server } = new WebSocketPair();
    return outcome(() => this.ctx.acceptWebSocket(server, [...tags]));
  }

  async acceptTwice(): Promise<readonly Note[]> {
    const { 0: client, 1: server } = new WebSocketPair();
    const before = outcome(() => server.send("too soon"));
    this.ctx.acceptWebSocket(server);
    client.accept();
    return [
      before,
      outcome(() => this.ctx.acceptWebSocket(server)),
      outcome(() => client.accept()),
      outcome(() => this.ctx.getTags(client)),
    ];
  }

  /** Whether an attachment of so many characters fits. */
  async attach(characters: number): Promise<Note> {
    const { 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return outcome(() => server.serializeAttachment("x".repeat(characters)));
  }

  /** What comes of an attachment that holds what JSON can't. */
  async clone(): Promise<readonly Note[]> {
    const { 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    const before = server.deserializeAttachment() as unknown;
    const twice = { same: 1 };
    const given = {
      map: new Map([[1, new Set([2])]]),
      date: new Date(5),
      bytes: new Uint8Array([1, 2]),
      a: twice,
      b: twice,
      none: undefined,
    };
    server.serializeAttachment(given);
    twice.same = 2;
    const got = server.deserializeAttachment() as typeof given;
    return [
      String(before),
      `${got.map.get(1)?.has(2)} ${got.date.getTime()} ${got.bytes} ${got.a === got.b} ${got.a.same} ${"none" in got}`,
      String(server.deserializeAttachment() === got),
      outcome(() => server.serializeAttachment(() => 1)),
      String((server.deserializeAttachment() as typeof given).a.same),
    ];
  }

  /** Which of these codes a socket may be closed with. */
  async closeCodes(codes: readonly number[]): Promise<readonly Note[]> {
    return codes.map((code) => {
      const { 1: server } = new WebSocketPair();
      server.accept();
      return `${code} ${outcome(() => server.close(code, ""))}`;
    });
  }

  async closeReason(bytes: number): Promise<Note> {
    const { 1: server } = new WebSocketPair();
    server.accept();
    return outcome(() => server.close(4000, "x".repeat(bytes)));
  }

  async write(value: string): Promise<unknown> {
    const { rowsWritten: written } = this.ctx.storage.sql.exec("INSERT INTO kept (value) VALUES (?)", value);
    const cursor = this.ctx.storage.sql.exec("SELECT value FROM kept ORDER BY rowid");
    const rows = cursor.toArray();
    return { written, read: cursor.rowsRead, rows: rows.map((row) => row.value) };
  }

  async stored(): Promise<readonly unknown[]> {
    return this.ctx.storage.sql
      .exec("SELECT value FROM kept ORDER BY rowid")
      .toArray()
      .map(({ value }) => value);
  }

  async writeAndFail(value: string): Promise<void> {
    this.ctx.storage.sql.exec("INSERT INTO kept (value) VALUES (?)", value);
    throw new Error("it fails after it has written");
  }

  async writeAndAbort(value: string): Promise<void> {
    this.ctx.storage.sql.exec("INSERT INTO kept (value) VALUES (?)", value);
    this.ctx.abort("ended by itself");
  }

  async wrongSql(): Promise<readonly string[]> {
    const wrong = ["SELECT nothing FROM kept", "SELECT", "INSERT INTO kept (value) VALUES (?, 1)"];
    return wrong.map((query) => {
      try {
        this.ctx.storage.sql.exec(query).toArray();
        return "done";
      } catch (error) {
        return error instanceof Error ? (error.message.split(": ").at(-1) ?? "") : "?";
      }
    });
  }

  async fail(how: "TypeError" | "object" | "own"): Promise<void> {
    if (how === "TypeError") throw new TypeError("no such type");
    if (how === "object") throw { code: 7 };
    throw Object.assign(new Error("with more"), { code: 8 });
  }

  async crash(): Promise<void> {
    this.ctx.abort("crashed for a test");
  }

  async give(value: unknown): Promise<unknown> {
    return value;
  }

  /** Dials another object and notes what comes from there. */
  async dial(name: string, say: readonly string[] = []): Promise<number> {
    const stub = this.env.PROBE.get(this.env.PROBE.idFromName(name));
    const { webSocket } = await stub.fetch("https://probe/?greet&tag=dialled", {
      headers: { Upgrade: "websocket" },
    });
    if (webSocket === null) throw new Error("it has no socket");
    webSocket.addEventListener("message", ({ data }) =>
      this.notes.push(`heard ${textOf(data as string | ArrayBuffer)}`),
    );
    webSocket.addEventListener("close", ({ code, reason, wasClean }) => {
      this.notes.push(`link closed ${code} "${reason}" ${wasClean ? "clean" : "broken"}`);
      this.notes.push(`answer: ${outcome(() => webSocket.close(code === 1006 ? 1000 : code, "answered"))}`);
    });
    webSocket.binaryType = "arraybuffer";
    webSocket.accept();
    this.dialled = webSocket;
    for (const text of say) webSocket.send(text);
    return webSocket.bufferedAmount;
  }

  async sayOnLink(text: string): Promise<Note> {
    return outcome(() => this.dialled?.send(text));
  }

  async closeLink(code: number, reason: string): Promise<Note> {
    return outcome(() => this.dialled?.close(code, reason));
  }

  async unsent(): Promise<number> {
    return this.dialled?.bufferedAmount ?? 0;
  }

  /** Calls another one, and tells how that failed. */
  async askOther(name: string): Promise<Note> {
    const stub = this.env.PROBE.get(this.env.PROBE.idFromName(name));
    try {
      await stub.fail("TypeError");
      return "nothing failed";
    } catch (error) {
      return error instanceof TypeError ? `TypeError ${error.message}` : String(error);
    }
  }

  /** Something that keeps it awake, or doesn't. */
  async keepAwake(how: "timer" | "work" | "nothing", ms: number): Promise<void> {
    if (how === "timer") setTimeout(() => this.notes.push("the timer ran"), ms);
    if (how === "work") this.ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, ms)));
  }

  /** Does something later, with nobody waiting for it. */
  async haunt(): Promise<void> {
    const [socket] = this.ctx.getWebSockets();
    const { sql } = this.ctx.storage;
    setTimeout(() => {
      sql.exec("INSERT INTO kept (value) VALUES ('from beyond')");
      socket?.send("from beyond");
    }, 200);
    void new Promise((resolve) => setTimeout(resolve, 100)).then(() => {
      socket?.send("from beyond");
    });
  }
}

function closing(text: string): [number?, string?] {
  const [code, reason] = text.split(" ");
  return code === "" ? [] : [Number(code), reason ?? ""];
}

async function call(env: Env, query: URLSearchParams, method: string): Promise<unknown> {
  const stub = env.PROBE.get(env.PROBE.idFromName(query.get("name") ?? ""));
  const args = JSON.parse(query.get("args") ?? "[]") as unknown[];
  const methods = stub as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  try {
    return { value: await methods[method]?.(...args) };
  } catch (error) {
    if (!(error instanceof Error)) return { threw: error };
    const { name, message } = error;
    return {
      error: `${name}: ${message}`,
      code: (error as { code?: unknown }).code,
      remote: (error as { remote?: unknown }).remote,
    };
  }
}

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    const { pathname, searchParams: query, search } = new URL(request.url);
    const stub = () => env.PROBE.get(env.PROBE.idFromName(query.get("name") ?? ""));
    const [, area, what = ""] = pathname.split("/");
    if (area === "call") return Response.json((await call(env, query, what)) ?? null);
    if (area === "socket") return stub().fetch(`https://probe/${search}`, { headers: request.headers });
    if (area === "ask") {
      try {
        const answer = await stub().fetch(`https://probe/${search}`, { method: "POST", body: "a body" });
        return Response.json({
          status: answer.status,
          socket: answer.webSocket === null,
          said: await answer.json(),
        });
      } catch (error) {
        return Response.json(String(error));
      }
    }
    if (area === "left") return Response.json(left);
    if (area === "id") {
      const id = env.PROBE.idFromName(query.get("name") ?? "");
      return Response.json({ text: id.toString(), name: id.name });
    }
    if (area === "closed") {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      server.send("before");
      server.close(4500, "no entry");
      return new Response(null, { status: 101, webSocket: client });
    }
    if (area === "join") return join(stub(), query.getAll("say"));
    if (area === "echo")
      return new Response(request.body, {
        status: 203,
        headers: {
          "X-Method": request.method,
          "X-Given": request.headers.get("X-Given") ?? "",
          "X-Url": new URL(request.url).href,
        },
      });
    if (area === "sized") return sized(Number(query.get("bytes")), context);
    if (area === "slow") return slow(Number(query.get("pieces")));
    if (area === "partly") {
      const reader = request.body?.getReader();
      const first = await reader?.read();
      await reader?.cancel();
      return new Response(first?.value === undefined ? "none" : "some");
    }
    if (area === "fails") throw new Error("the Worker fails");
    if (area === "cache")
      return Response.json(
        await caches.default.match("https://cache/x").then(
          () => "there",
          () => "none",
        ),
      );
    if (area === "kept-alive") {
      context.waitUntil(
        new Promise((resolve) => setTimeout(resolve, 10)).then(() => left.push("after the answer")),
      );
      return Response.json(left.length);
    }
    return Response.json(
      { area, search, ip: (request.cf as { clientIp?: unknown } | undefined)?.clientIp !== undefined },
      { status: 404 },
    );
  },
};

/** The Worker as the one that dials. */
async function join(stub: DurableObjectStub<Probe>, say: readonly string[]): Promise<Response> {
  const { webSocket } = await stub.fetch("https://probe/?greet", { headers: { Upgrade: "websocket" } });
  if (webSocket === null) return new Response("no socket");
  const heard: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  webSocket.addEventListener("message", ({ data }) => heard.push(textOf(data as string | ArrayBuffer)));
  webSocket.addEventListener("close", ({ code, reason }) => {
    heard.push(`closed ${code} ${reason}`);
    resolve();
  });
  webSocket.binaryType = "arraybuffer";
  webSocket.accept();
  for (const text of say) webSocket.send(text);
  await promise;
  return Response.json(heard);
}

function sized(bytes: number, context: ExecutionContext): Response {
  const { readable, writable } = new FixedLengthStream(bytes);
  const writer = writable.getWriter();
  context.waitUntil(
    (async () => {
      for (let at = 0; at < bytes; at += 1_000)
        await writer.write(new Uint8Array(Math.min(1_000, bytes - at)).fill(65));
      await writer.close();
    })(),
  );
  return new Response(readable);
}

function slow(pieces: number): Response {
  const encoder = new TextEncoder();
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      sent++;
      controller.enqueue(encoder.encode(`${sent};`));
      if (sent === pieces) controller.close();
    },
    cancel() {
      left.push("the stream was given up");
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/plain" } });
}
