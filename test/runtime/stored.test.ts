/** What an object has written and the disk hasn't yet: nothing leaves that was sent since, and the process goes on. */
import fs, { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Namespace } from "../../edge/runtime/node/objects/namespace.ts";
import { otherEnd } from "../../edge/runtime/node/sockets/end.ts";
import { Network } from "../../edge/runtime/node/sockets/network.ts";
import { WebSocket, WebSocketPair } from "../../edge/runtime/node/sockets/web-socket.ts";
import { Response } from "../../edge/runtime/node/web/response.ts";
import { fulfilled } from "../support/fulfilled.ts";

interface State {
  readonly storage: { readonly sql: { exec(query: string, ...values: string[]): { toArray(): unknown[] } } };
  acceptWebSocket(socket: WebSocket): void;
}

/** Says what it is told to whoever listens; writes what begins so before that. */
class Keeper {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.storage.sql.exec("CREATE TABLE IF NOT EXISTS said (what TEXT)");
  }

  fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#state.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket: WebSocket, data: string): void {
    if (data.startsWith("write ")) this.#write(data);
    socket.send(data);
  }

  write(what: string): string {
    this.#write(what);
    return what;
  }

  #write(what: string): void {
    this.#state.storage.sql.exec("INSERT INTO said VALUES (?)", what);
  }
}

interface Stub {
  fetch(url: string): Promise<Response>;
  write(what: string): Promise<string>;
}

let folder: string;
/** What the disk was asked to keep and hasn't answered yet. */
let asked: ((error: Error | null) => void)[];
let answersAtOnce: boolean;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stored-"));
  mkdirSync(join(folder, "Keeper"));
  asked = [];
  answersAtOnce = true;
  vi.spyOn(fs, "fdatasync").mockImplementation((_, done) => {
    if (answersAtOnce) setImmediate(done, null);
    else asked.push(done);
  });
});

afterEach(() => {
  for (const done of asked) done(null);
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function answer(error: Error | null = null): void {
  const now = asked;
  asked = [];
  for (const done of now) done(error);
}

function keepers(): (name: string) => Stub {
  const namespace = new Namespace(
    { className: "Keeper", folder, construct: Keeper } as unknown as ConstructorParameters<
      typeof Namespace
    >[0],
    {},
  );
  return (name) => namespace.get(namespace.idFromName(name)) as unknown as Stub;
}

/** A client that is connected to an object. */
async function clientOf(stub: Stub) {
  const { webSocket } = await stub.fetch("https://object/");
  if (webSocket === null) throw new Error("no socket");
  const end = WebSocket.endOf(webSocket);
  const other = otherEnd(end);
  const [client, socket] = duplexPair();
  if (other === undefined) throw new Error("no other end");
  other.wire = new Network(socket, Buffer.alloc(0), other);
  let heard = "";
  // Whole frames, and short ones: what leaves together may come in one piece.
  client.on("data", (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at += 2 + (chunk[at + 1] ?? 0))
      heard += chunk.toString("utf8", at + 2, at + 2 + (chunk[at + 1] ?? 0));
  });
  const say = (text: string) =>
    client.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]));
  return { say, heard: () => heard, isCut: () => socket.destroyed };
}

const turns = async () => {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
};

test("what was sent after something was written leaves when the disk has it, in order", async () => {
  const client = await clientOf(keepers()("a"));
  answersAtOnce = false;

  client.say("write 1");
  client.say("2");
  await fulfilled(() => expect(asked.length).toBe(1));
  await turns();
  expect(client.heard()).toBe("");
  client.say("write 3");
  await turns();
  answer();
  await fulfilled(() => expect(client.heard()).toBe("write 12"));
  await fulfilled(() => expect(asked.length).toBe(1));
  answer();

  await fulfilled(() => expect(client.heard()).toBe("write 12write 3"));
});

test("an answer of an object comes when the disk has what it wrote, and others are asked meanwhile", async () => {
  const stub = keepers();
  await Promise.all([stub("a").write("before"), stub("b").write("before")]);
  answersAtOnce = false;
  let isAnswered = false;

  const written = stub("a")
    .write("more")
    .then(() => {
      isAnswered = true;
    });
  await fulfilled(() => expect(asked.length).toBe(1));
  const other = stub("b").write("meanwhile");
  await fulfilled(() => expect(asked.length).toBe(2));

  expect(isAnswered).toBe(false);
  answer();
  await written;
  expect(await other).toBe("meanwhile");
});

test("what is written while the disk is asked is asked for once, after that", async () => {
  const client = await clientOf(keepers()("a"));
  answersAtOnce = false;

  client.say("write 1");
  await fulfilled(() => expect(asked.length).toBe(1));
  for (const text of ["write 2", "write 3"]) {
    client.say(text);
    await turns();
  }
  expect(asked.length).toBe(1);
  answer();
  await fulfilled(() => expect(asked.length).toBe(1));
  answer();

  await fulfilled(() => expect(client.heard()).toBe("write 1write 2write 3"));
  expect(asked.length).toBe(0);
});

test("what the disk refuses ends the object, and nothing leaves that was sent since", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const client = await clientOf(keepers()("a"));
  answersAtOnce = false;

  client.say("write 1");
  client.say("2");
  await fulfilled(() => expect(asked.length).toBe(1));
  answer(Object.assign(new Error("EIO: i/o error"), { code: "EIO" }));
  await fulfilled(() => expect(client.isCut()).toBe(true));

  expect(client.heard()).toBe("");
});
