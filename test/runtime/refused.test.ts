/**
 * Of the platform's members the runtime on Node serves those that a case of the conformance suite covers, and refuses all others
 * by an error that says so. What members there are the platform's own types say.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { PLATFORM } from "../../edge/runtime/node/globals.ts";
import { ObjectId } from "../../edge/runtime/node/objects/id.ts";
import { Namespace } from "../../edge/runtime/node/objects/namespace.ts";
import { ObjectState } from "../../edge/runtime/node/objects/state.ts";
import { Cursor, Sql } from "../../edge/runtime/node/objects/storage.ts";
import { WebSocket } from "../../edge/runtime/node/sockets/web-socket.ts";
import { Context } from "../../edge/runtime/node/worker.ts";
import { ALL } from "./cases/all.ts";

const types = readFileSync(
  join(
    dirname(createRequire(import.meta.url).resolve("@cloudflare/workers-types/package.json")),
    "index.d.ts",
  ),
  "utf8",
);
const titles = Object.values(ALL)
  .flat()
  .map(({ title }) => title);

/** Names in a declaration of the platform's types. */
function membersOf(name: string): string[] {
  const [, body = ""] =
    new RegExp(
      `^(?:export )?(?:declare )?(?:abstract )?(?:class|interface) ${name}\\b[^{]*\\{\n([\\s\\S]*?)^\\}`,
      "m",
    ).exec(types) ?? [];
  const names = [...body.matchAll(/^ {2}(?:readonly |get |set |static )*(\w+)\??[(<:]/gm)].map(
    ([, one]) => one ?? "",
  );
  return [...new Set(names)].filter((one) => one !== "constructor");
}

/** By member, the case that covers it. */
const COVERED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  DurableObjectState: {
    waitUntil: "an object sleeps",
    id: "an object's name gives its id, always the same",
    storage: "rows are read as they were written",
    blockConcurrencyWhile: "blockConcurrencyWhile holds up all that comes until it has ended",
    acceptWebSocket: "a socket is accepted once, and nothing is sent before",
    getWebSockets: "sockets are found by their tags, each once",
    setWebSocketAutoResponse: "pings are answered without waking the object, and when is noted",
    getWebSocketAutoResponseTimestamp: "pings are answered without waking the object, and when is noted",
    getTags: "sockets are found by their tags, each once",
    abort:
      "an object that ends itself fails what waits for it, breaks its sockets, and begins anew with what is stored",
  },
  DurableObjectStorage: { sql: "rows are read as they were written" },
  SqlStorage: { exec: "rows are read as they were written" },
  SqlStorageCursor: {
    toArray: "rows are read as they were written",
    rowsRead: "rows are read as they were written",
    rowsWritten: "rows are read as they were written",
  },
  DurableObjectId: {
    toString: "an object's name gives its id, always the same",
    name: "an object's name gives its id, always the same",
  },
  ExecutionContext: { waitUntil: "waitUntil goes on after the answer" },
  DurableObjectNamespace: {
    idFromName: "an object's name gives its id, always the same",
    get: "a request reaches an object with method and body, and its answer whoever asked",
  },
  WebSocket: {
    accept: "a socket is accepted once, and nothing is sent before",
    send: "what is sent leaves before a close; after it nothing can be sent, and another close is nothing",
    close: "codes that a socket may be closed with",
    serializeAttachment: "an attachment holds 16,384 bytes with what its form takes, and no more",
    deserializeAttachment:
      "an attachment is a copy, of all that structured clones hold; one that can't be copied changes nothing",
    binaryType: "an object dials another: what was sent before it listened comes first, and all in order",
    bufferedAmount: "what was sent on a link counts as unsent within the turn, and not when it has come",
    addEventListener:
      "an object dials another: what was sent before it listened comes first, and all in order",
  },
};

const state = new ObjectState({ sql: undefined } as unknown as ConstructorParameters<typeof ObjectState>[0]);
const of: Readonly<Record<string, object>> = {
  DurableObjectState: state,
  DurableObjectStorage: state.storage,
  SqlStorage: Sql.prototype,
  SqlStorageCursor: Cursor.prototype,
  DurableObjectId: ObjectId.prototype,
  ExecutionContext: Context.prototype,
  DurableObjectNamespace: Namespace.prototype,
  WebSocket: WebSocket.prototype,
};

describe.each(Object.entries(COVERED))("%s", (name, covered) => {
  const members = [...membersOf(name), ...(name === "WebSocket" ? membersOf("EventTarget") : [])];

  test("has members that are known", () => {
    expect(members.length).toBeGreaterThan(2);
    expect(Object.keys(covered).filter((member) => !members.includes(member))).toEqual([]);
  });

  test("serves what a case covers, and that case is there", () => {
    const missing = Object.values(covered).filter(
      (title) => title !== "an object sleeps" && !titles.includes(title),
    );
    expect(missing).toEqual([]);
  });

  test.each(members.filter((member) => !(member in covered)))("refuses %s", (member) => {
    expect(() => Reflect.get(of[name] ?? {}, member)).toThrow("isn't served by the runtime on Node");
  });
});

test("what else of Node's own code of the edge could find says that it isn't there", () => {
  for (const name of ["process", "Buffer", "setInterval", "setImmediate"])
    expect(PLATFORM[name] as () => void, name).toThrow("isn't served by the runtime on Node");
});
