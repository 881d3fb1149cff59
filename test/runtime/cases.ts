/**
 * Cases of the conformance suite: what the primitives of the platform do which the edge uses. Every expected value was recorded
 * on workerd.
 */

import { once } from "node:events";
import { createConnection } from "node:net";
import { eventually } from "../support/deadline.ts";
import { Client, type Probing } from "./client.ts";

export interface Case {
  readonly title: string;
  readonly run: (probing: Probing) => Promise<unknown>;
  readonly expected: unknown;
}

export const SOCKETS: readonly Case[] = [
  {
    title: "events of a socket come in order, text and bytes, though one's handler waits",
    async run(probing) {
      const client = await probing.client("order");
      client.say("later:a");
      client.socket.send(Buffer.from([9, 8]));
      client.say("b", "later:c", "d");
      const notes = await probing.notes("order", 2, "after");
      return [
        notes.filter((note) => note.startsWith("message")),
        notes.filter((note) => note.startsWith("after")),
      ];
    },
    expected: [
      ["message later:a", "message 2 bytes, from 9 on", "message b", "message later:c", "message d"],
      ["after a", "after c"],
    ],
  },
  {
    title:
      "a client's close is told with code and reason, the socket isn't counted any more, and the answer reaches the client",
    async run(probing) {
      const client = await probing.client("close", "&tag=one&tag=two");
      client.say("keep:this");
      client.socket.close(4321, "enough");
      const heard = await client.hears(1);
      return [heard, await probing.notes("close", 1, "answer"), await probing.call("close", "sockets")];
    },
    expected: [
      ["still there?", 'closed 4321 "answered"'],
      [
        "request",
        "message keep:this",
        'closed 4321 "enough" clean, counted of 1, tags one,two, {"kept":"this"}',
        "send: done",
        "answer: done",
      ],
      0,
    ],
  },
  {
    title: "a close without a code is 1005, which can't be answered with",
    async run(probing) {
      const client = await probing.client("codeless");
      client.socket.close();
      return probing.notes("codeless", 1, "answer");
    },
    expected: ["request", 'closed 1005 "" clean, counted of 1, tags , null', "send: done", "answer: refused"],
  },
  {
    title: "a connection that breaks is 1006, not clean",
    async run(probing) {
      const client = await probing.client("cut off");
      client.say("hello");
      await probing.notes("cut off", 1, "message");
      client.socket.terminate();
      const notes = await probing.notes("cut off", 1, "answer");
      return [notes, await probing.call("cut off", "sockets")];
    },
    expected: [
      [
        "request",
        "message hello",
        'closed 1006 "WebSocket disconnected without sending Close frame." broken, counted of 1, tags , null',
        "send: done",
        "answer: done",
      ],
      0,
    ],
  },
  {
    title: "a close that isn't answered isn't answered by the runtime, either",
    async run(probing) {
      const client = await probing.client("silent");
      client.say("silent:");
      client.socket.close(4001, "bye");
      await probing.notes("silent", 1, "closed");
      await new Promise((resolve) => setTimeout(resolve, 300));
      // Workerd drops the connection, but not before it has collected what held it.
      const heard = client.heard.filter((one) => one !== 'closed 1006 ""');
      return [heard, await probing.call("silent", "sockets")];
    },
    expected: [["still there?"], 0],
  },
  {
    title: "what is sent leaves before a close; after it nothing can be sent, and another close is nothing",
    async run(probing) {
      const client = await probing.client("twice");
      client.say("twice:");
      const heard = await client.hears(2);
      return [heard, await probing.notes("twice", 1, "send after")];
    },
    expected: [
      ["one", 'closed 4001 "first"'],
      [
        "request",
        "message twice:",
        "close again: done",
        "send after close: refused",
        'closed 4001 "first" clean, counted of 1, tags , null',
        "send: refused",
        "answer: done",
      ],
    ],
  },
  {
    title: "the answer to a close of the object's is told to it",
    async run(probing) {
      const client = await probing.client("closes");
      client.say("close:4009 over");
      const heard = await client.hears(1);
      return [heard, await probing.notes("closes", 1, "closed"), await probing.call("closes", "sockets")];
    },
    expected: [
      ['closed 4009 "over"'],
      [
        "request",
        "message close:4009 over",
        'closed 4009 "over" clean, counted of 1, tags , null',
        "send: refused",
        "answer: done",
      ],
      0,
    ],
  },
  {
    title: "codes that a socket may be closed with",
    run: (probing) =>
      probing.call(
        "codes",
        "closeCodes",
        [999, 1000, 1001, 1003, 1004, 1005, 1006, 1011, 1015, 2999, 3000, 4999, 5000],
      ),
    expected: [
      "999 refused",
      "1000 done",
      "1001 done",
      "1003 done",
      "1004 refused",
      "1005 refused",
      "1006 refused",
      "1011 done",
      "1015 refused",
      "2999 done",
      "3000 done",
      "4999 done",
      "5000 refused",
    ],
  },
  {
    title: "how long the reason of a close may be",
    run: async (probing) => [
      await probing.call("reason", "closeReason", 123),
      await probing.call("reason", "closeReason", 124),
    ],
    expected: ["done", "refused"],
  },
  {
    title: "a handler that fails harms neither its socket nor its object",
    async run(probing) {
      const client = await probing.client("fails");
      client.say("life:", "fail:", "life:");
      const [before, after] = await client.hears(2);
      return before === after;
    },
    expected: true,
  },
  {
    title: "sockets are found by their tags, each once",
    async run(probing) {
      await probing.client("tags", "&tag=a&tag=b");
      await probing.client("tags", "&tag=b&tag=b");
      await probing.client("tags");
      const counts = [];
      for (const tag of ["a", "b", "c", undefined])
        counts.push(await probing.call("tags", "sockets", ...(tag === undefined ? [] : [tag])));
      return [counts, await probing.call("tags", "tags"), await probing.call("tags", "tags", "b")];
    },
    expected: [
      [1, 2, 0, 3],
      [[], ["b"], ["a", "b"]],
      [["a", "b"], ["b"]],
    ],
  },
  {
    title: "how many tags a socket may have, and how long each",
    run: async (probing) =>
      Promise.all(
        [
          Array.from({ length: 10 }, (_, i) => `tag ${i}`),
          Array.from({ length: 11 }, (_, i) => `tag ${i}`),
          ["x".repeat(256)],
          ["x".repeat(257)],
        ].map((tags) => probing.call("many tags", "acceptWith", tags)),
      ),
    expected: ["done", "refused", "done", "refused"],
  },
  {
    title: "a socket is accepted once, and nothing is sent before",
    run: (probing) => probing.call("accepts", "acceptTwice"),
    expected: ["refused", "refused", "done", "refused"],
  },
  {
    title: "an attachment holds 16,384 bytes with what its form takes, and no more",
    run: async (probing) =>
      Promise.all(
        [16_000, 16_378, 16_379, 16_380, 16_384].map((length) => probing.call("attaches", "attach", length)),
      ),
    expected: ["done", "done", "done", "refused", "refused"],
  },
  {
    title:
      "an attachment is a copy, of all that structured clones hold; one that can't be copied changes nothing",
    run: (probing) => probing.call("clones", "clone"),
    expected: ["null", "true 5 1,2 true 1 true", "false", "refused", "1"],
  },
  {
    title: "large messages come whole, both ways",
    async run(probing) {
      const client = await probing.client("large");
      client.socket.send(Buffer.alloc(70_000, 1));
      client.say(`say:${"é".repeat(70_000)}`, "bytes:200000", "bytes:126", "bytes:65536", "say:", "bytes:0");
      const heard = await client.hears(6);
      const notes = await probing.notes("large", 7, "message");
      return [heard.map((one) => (one.length > 100 ? one.length : one)), notes[1]];
    },
    expected: [
      [70000, "200000 bytes", "126 bytes", "65536 bytes", "", "0 bytes"],
      "message 70000 bytes, from 1 on",
    ],
  },
  {
    title: "what is said in pieces comes as one message",
    async run(probing) {
      const client = await probing.client("pieces");
      client.socket.send("say:a", { fin: false });
      client.socket.send("b", { fin: false });
      client.socket.ping();
      client.socket.send("c", { fin: true });
      return client.hears(1);
    },
    expected: ["abc"],
  },
  ...(
    [
      [
        "text that isn't UTF-8",
        [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28],
        [
          "no close",
          [
            "message �(",
            'closed 1006 "WebSocket disconnected without sending Close frame." broken, counted of 2, tags , null',
          ],
          1,
          ["still here"],
        ],
      ],
      [
        "a reserved bit",
        [0xc1, 0x81, 0, 0, 0, 0, 0x61],
        ["close 1002", ["error: an Error"], 1, ["still here"]],
      ],
      [
        "an unknown opcode",
        [0x83, 0x81, 0, 0, 0, 0, 0x61],
        ["close 1002", ["error: an Error"], 1, ["still here"]],
      ],
      [
        "more of a message that hasn't begun",
        [0x80, 0x81, 0, 0, 0, 0, 0x61],
        ["close 1002", ["error: an Error"], 1, ["still here"]],
      ],
    ] as const
  ).map(
    ([what, bytes, expected]): Case => ({
      title: `${what} ends the connection, and harms no other`,
      run: (probing) => afterBytes(probing, what, Buffer.from(bytes)),
      expected,
    }),
  ),
];

/** What becomes of a connection on which bytes come that are no frames, and of one beside it. */
async function afterBytes(probing: Probing, name: string, bytes: Buffer): Promise<unknown> {
  const other = await probing.client(name);
  const { port, hostname } = new URL(probing.url);
  const socket = createConnection({ port: Number(port), host: hostname });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  socket.write(
    [
      `GET /socket?name=${encodeURIComponent(name)} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}`,
      "",
      "",
    ].join("\r\n"),
  );
  const head = () => Buffer.concat(chunks).indexOf("\r\n\r\n");
  await eventually(() => head() >= 0, "an answer to the handshake");
  const ended = once(socket, "close");
  socket.write(bytes);
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2_000))]);
  const frame = Buffer.concat(chunks).subarray(head() + 4);
  socket.destroy();
  const isOver = /^(error|closed)/;
  await eventually(
    async () => ((await probing.call(name, "noted")) as string[]).some((note) => isOver.test(note)),
    "that the object hears of it",
  );
  const notes = (await probing.call(name, "noted")) as string[];
  other.say("say:still here");
  // Workerd's reason takes more than a frame for control may hold, so that the length stands in two bytes more.
  const codeAt = frame[1] === 126 ? 4 : 2;
  return [
    frame[0] === 0x88 ? `close ${frame.readUInt16BE(codeAt)}` : "no close",
    notes.filter((note) => /^(error|closed|message)/.test(note)),
    await probing.call(name, "sockets"),
    await other.hears(1),
  ];
}

export const OBJECTS: readonly Case[] = [
  {
    title: "an object's name gives its id, always the same",
    run: (probing) => probing.get(`/id?name=${encodeURIComponent("/quotes/AAPL é")}`),
    expected: {
      text: "5dcceab929617191e5d8ec491737eb74ed61b4c4db485e4a8900d4d43f7aed18",
      name: "/quotes/AAPL é",
    },
  },
  {
    title: "a request reaches an object with method and body, and its answer whoever asked",
    run: (probing) => probing.get("/ask?name=plain&plain=1"),
    expected: { status: 418, socket: true, said: { method: "POST", body: "a body" } },
  },
  {
    title: "an error of an object's is its asker's, by its message",
    run: (probing) => probing.get("/ask?name=failing&fail=1"),
    expected: "RangeError: no answer",
  },
  {
    title: "errors of calls keep their kind, and say that they come from elsewhere",
    run: async (probing) =>
      Promise.all(["TypeError", "own"].map((how) => probing.outcome("errors", "fail", how))),
    expected: [
      { error: "TypeError: no such type", remote: true },
      { error: "Error: with more", code: 8, remote: true },
    ],
  },
  {
    title: "an error goes from an object through another one",
    run: (probing) => probing.call("asks", "askOther", "asked"),
    expected: "TypeError no such type",
  },
  {
    title: "what isn't a method can't be called",
    run: async (probing) =>
      Promise.all(
        ["nothing", "constructor", "notes", "life", "webSocketMessage"].map(async (method) => {
          const outcome = (await probing.outcome("methods", method)) as { readonly error?: string };
          return outcome.error === undefined ? "called" : outcome.error.split(":")[0];
        }),
      ),
    expected: ["TypeError", "TypeError", "TypeError", "TypeError", "TypeError"],
  },
  {
    title: "what is given to a call, and what it gives back, are copies",
    run: (probing) => probing.call("gives", "give", { list: [1, { two: "2" }], nothing: null }),
    expected: { list: [1, { two: "2" }], nothing: null },
  },
  {
    title: "a constructor that fails is an error of each request, and of no other object",
    run: async (probing) => [
      await probing.outcome("broken", "whichLife"),
      await probing.outcome("broken", "whichLife"),
      await probing.call("beside broken", "sockets"),
    ],
    expected: [{ error: "Error: it can't be made" }, { error: "Error: it can't be made" }, 0],
  },
  {
    title: "blockConcurrencyWhile holds up all that comes until it has ended",
    run: async (probing) => {
      const [, notes] = await Promise.all([
        probing.get("/ask?name=blocked&plain=1"),
        probing.call("blocked", "noted"),
      ]);
      return notes;
    },
    expected: ["begins", "has begun", "request"],
  },
  {
    title: "blockConcurrencyWhile that fails ends that life of the object",
    run: (probing) => probing.outcome("blocked in vain", "noted"),
    expected: { error: "Error: it can't begin" },
  },
  {
    title:
      "an object that ends itself fails what waits for it, breaks its sockets, and begins anew with what is stored",
    async run(probing) {
      const client = await probing.client("crashes");
      await probing.call("crashes", "write", "kept");
      const life = await probing.call("crashes", "whichLife");
      const crashed = await probing.outcome("crashes", "crash");
      const heard = await client.hears(1);
      const next = await probing.call("crashes", "whichLife");
      return [
        crashed,
        heard,
        life === next,
        await probing.call("crashes", "stored"),
        await probing.call("crashes", "sockets"),
      ];
    },
    expected: [{ error: "Error: crashed for a test" }, ['closed 1006 ""'], false, ["kept"], 0],
  },
  {
    title: "what an object that has ended had still to do does nothing any more",
    async run(probing) {
      const client = await probing.client("ghost");
      await probing.call("ghost", "haunt");
      await probing.outcome("ghost", "crash");
      await new Promise((resolve) => setTimeout(resolve, 500));
      return [client.heard, await probing.call("ghost", "stored")];
    },
    expected: [['closed 1006 ""'], []],
  },
  {
    title: "the Worker that fails answers 500",
    run: async (probing) => (await fetch(`${probing.url}/fails`)).status,
    expected: 500,
  },
];

export const STORAGE: readonly Case[] = [
  {
    title: "rows are read as they were written",
    run: async (probing) => [
      await probing.call("rows", "write", "one"),
      await probing.call("rows", "write", "two"),
    ],
    expected: [
      { written: 1, read: 1, rows: ["one"] },
      { written: 1, read: 2, rows: ["one", "two"] },
    ],
  },
  {
    title: "SQL that is wrong is an error that names SQLite's",
    run: (probing) => probing.call("wrong", "wrongSql"),
    expected: ["SQLITE_ERROR", "SQLITE_ERROR", "SQLITE_ERROR"],
  },
  {
    title: "what a call wrote before it failed",
    run: async (probing) => [
      await probing.outcome("half", "writeAndFail", "half"),
      await probing.call("half", "stored"),
    ],
    expected: [{ error: "Error: it fails after it has written", remote: true }, ["half"]],
  },
  {
    title: "what a handler of a message wrote before it failed",
    async run(probing) {
      const client = await probing.client("half heard");
      client.say("writeAndFail:half", "say:next");
      await client.hears(1);
      return probing.call("half heard", "stored");
    },
    expected: ["half"],
  },
  {
    title: "what was written in the turn in which an object ends itself",
    run: async (probing) => [
      await probing.outcome("aborts", "writeAndAbort", "lost?"),
      await probing.call("aborts", "stored"),
    ],
    expected: [{ error: "Error: ended by itself" }, []],
  },
  {
    title: "what is told to have been written is stored, whatever ends the object then",
    async run(probing) {
      const client = await probing.client("gate", "&write=1");
      client.say("write:two");
      const heard = [...(await client.hears(2))];
      await probing.outcome("gate", "crash");
      return [heard, await probing.call("gate", "stored")];
    },
    expected: [
      ["written", "written two"],
      ["with a socket", "two"],
    ],
  },
  {
    title: "what can't be committed ends the object, and nothing that came after it leaves",
    async run(probing) {
      const client = await probing.client("in vain");
      client.say("writeInVain:");
      await client.hears(1);
      await eventually(
        () => client.heard.some((one) => one.startsWith("closed")),
        "that the connection ends",
      );
      // What was sent before it was written may have left.
      return [client.heard.filter((one) => one === "written in vain").length < 2, client.heard.at(-1)];
    },
    expected: [true, 'closed 1006 ""'],
  },
];

export const LINKS: readonly Case[] = [
  {
    title: "an object dials another: what was sent before it listened comes first, and all in order",
    async run(probing) {
      await probing.call("dials", "dial", "dialled", ["say:1", "bytes:3", "say:2"]);
      await probing.notes("dials", 4, "heard");
      return [
        await probing.call("dials", "noted"),
        await probing.call("dialled", "noted"),
        await probing.call("dialled", "tags"),
      ];
    },
    expected: [
      ["heard welcome", "heard 1", "heard 3 bytes, from 7 on", "heard 2"],
      ["request", "message say:1", "message bytes:3", "message say:2"],
      [["dialled"]],
    ],
  },
  {
    title: "what was sent on a link counts as unsent within the turn, and not when it has come",
    async run(probing) {
      const unsent = (await probing.call("backs up", "dial", "backed up", [
        "x".repeat(1_000),
        "y",
      ])) as number;
      await probing.notes("backed up", 2, "message");
      const later = await eventually(
        async () => (await probing.call("backs up", "unsent")) === 0,
        "all was sent",
      );
      return [unsent >= 1_001, later];
    },
    expected: [true, true],
  },
  {
    title: "a link is closed from where it was dialled",
    async run(probing) {
      await probing.call("closes link", "dial", "link closed");
      await probing.call("closes link", "closeLink", 4007, "done");
      const notes = await probing.notes("link closed", 1, "answer");
      return [
        notes,
        await probing.notes("closes link", 1, "link closed"),
        await probing.call("closes link", "sayOnLink", "late"),
      ];
    },
    expected: [
      ["request", 'closed 4007 "done" clean, counted of 1, tags dialled, null', "send: done", "answer: done"],
      ["heard welcome", "heard still there?", 'link closed 4007 "answered" clean', "answer: done"],
      "refused",
    ],
  },
  {
    title: "a link is closed by the object that was dialled",
    async run(probing) {
      await probing.call("hears close", "dial", "closes it", ["close:4008 no"]);
      return [await probing.notes("hears close", 1, "answer"), await probing.notes("closes it", 1, "closed")];
    },
    expected: [
      ["heard welcome", 'link closed 4008 "no" clean', "answer: done"],
      [
        "request",
        "message close:4008 no",
        'closed 4008 "no" clean, counted of 1, tags dialled, null',
        "send: refused",
        "answer: done",
      ],
    ],
  },
  {
    title: "a link breaks with the object that dialled",
    async run(probing) {
      await probing.call("dialler crashes", "dial", "hears of it");
      await probing.outcome("dialler crashes", "crash");
      return probing.notes("hears of it", 1, "closed");
    },
    expected: [
      "request",
      'closed 1006 "WebSocket disconnected without sending Close frame." broken, counted of 1, tags dialled, null',
      "send: done",
      "answer: done",
    ],
  },
  {
    title: "a link breaks with the object that was dialled",
    async run(probing) {
      await probing.call("hears break", "dial", "crashes off");
      await probing.outcome("crashes off", "crash");
      return probing.notes("hears break", 1, "link closed");
    },
    expected: [
      "heard welcome",
      'link closed 1006 "WebSocket disconnected without sending Close frame." broken',
      "answer: done",
    ],
  },
  {
    title: "the Worker dials an object for a client that speaks no WebSocket",
    run: (probing) => probing.get("/join?name=joined&say=say:1&say=bytes:2&say=close:4010+over"),
    expected: ["welcome", "1", "2 bytes, from 7 on", "closed 4010 over"],
  },
];

export const HTTP: readonly Case[] = [
  {
    title: "a request comes with method, path, query, headers and body, and its answer likewise",
    async run({ url }) {
      const answer = await fetch(`${url}/echo/%24/a%2Fb?x=%20&y`, {
        method: "POST",
        body: "a body",
        headers: { "X-Given": "1" },
      });
      const { status, headers } = answer;
      return [
        status,
        headers.get("X-Method"),
        headers.get("X-Given"),
        headers.get("X-Url")?.replace(url, ""),
        await answer.text(),
      ];
    },
    expected: [203, "POST", "1", "/echo/%24/a%2Fb?x=%20&y", "a body"],
  },
  {
    title: "an answer whose length is known tells it",
    async run({ url }) {
      const [sized, json, head] = await Promise.all([
        fetch(`${url}/sized?bytes=123456`),
        fetch(`${url}/nothing`),
        fetch(`${url}/nothing`, { method: "HEAD" }),
      ]);
      const body = await sized.text();
      return [
        sized.headers.get("Content-Length"),
        body.length,
        json.headers.get("Content-Length") !== null,
        json.status,
        head.status,
        await head.text(),
      ];
    },
    expected: ["123456", 123456, true, 404, 404, ""],
  },
  {
    title: "an answer that is made as it goes comes whole",
    run: async ({ url }) => (await fetch(`${url}/slow?pieces=5`)).text(),
    expected: "1;2;3;4;5;",
  },
  {
    title: "an answer that its client gives up is given up",
    async run(probing) {
      const ending = new AbortController();
      const answer = await fetch(`${probing.url}/slow?pieces=1000000`, { signal: ending.signal });
      const reader = answer.body?.getReader();
      await reader?.read();
      ending.abort();
      await eventually(
        async () => ((await probing.get("/left")) as string[]).includes("the stream was given up"),
        "that the stream is given up",
      );
      return "given up";
    },
    expected: "given up",
  },
  {
    title: "waitUntil goes on after the answer",
    async run(probing) {
      await probing.get("/kept-alive");
      await eventually(
        async () => ((await probing.get("/left")) as string[]).includes("after the answer"),
        "what comes after the answer",
      );
      return "went on";
    },
    expected: "went on",
  },
  {
    title: "a subprotocol is answered with if the Worker does, and a refusal is a socket that is closed",
    async run(probing) {
      const spoken = await probing.client("speaks", "", ["a", "b"]).catch((error: Error) => error.message);
      const closed = new Client(`${probing.url.replace("http", "ws")}/closed`);
      return [typeof spoken === "string" ? spoken : spoken.socket.protocol, await closed.hears(2)];
    },
    expected: ["Server sent an invalid subprotocol", ["before", 'closed 4500 "no entry"']],
  },
  {
    title: "a handshake that is answered otherwise gets that answer",
    async run({ url }) {
      const client = new Client(`${url.replace("http", "ws")}/nothing-there`);
      return client.hears(2);
    },
    expected: ["error Unexpected server response: 404", 'closed 1006 ""'],
  },
  {
    title: "the host that a request is for is what its header says, whatever the request line names",
    run: async (probing) => [
      await head(probing, "GET http://127.0.0.1/echo/a HTTP/1.1", "Host: other.example:81"),
      await head(probing, "GET /echo//b/../c HTTP/1.1", "Host: other.example"),
      await head(probing, "GET //echo/echo HTTP/1.1", "Host: other.example"),
      await head(probing, "GET /echo HTTP/1.1"),
      await head(probing, "GET /echo HTTP/1.1", "Host: a b"),
      await head(probing, "GET /echo HTTP/1.1", "Host: other.example", "Host: second.example"),
    ],
    expected: [
      ["HTTP/1.1 203", "http://other.example:81/echo/a"],
      ["HTTP/1.1 203", "http://other.example/echo//c"],
      ["HTTP/1.1 404", undefined],
      ["HTTP/1.1 400", undefined],
      ["HTTP/1.1 500", undefined],
      ["HTTP/1.1 500", undefined],
    ],
  },
  {
    title: "a head may be long",
    run: async (probing) => {
      const [status] = (await head(
        probing,
        `GET /echo?${"x".repeat(60_000)} HTTP/1.1`,
        "Host: a",
      )) as string[];
      return status;
    },
    expected: "HTTP/1.1 203",
  },
  {
    title: "a body that nobody takes harms neither its connection nor any other",
    async run({ url }) {
      const statuses = [];
      for (let i = 0; i < 20; i++) {
        const answer = await fetch(`${url}/nothing`, { method: "POST", body: "x".repeat(10_000 * i) });
        statuses.push(answer.status, await answer.text().then(({ length }) => length > 0));
      }
      const partly = await fetch(`${url}/partly`, { method: "POST", body: "x".repeat(3_000_000) });
      return [[...new Set(statuses)], partly.status, await partly.text()];
    },
    expected: [[404, true], 200, "some"],
  },
];

/** What becomes of a head that no client would send: the first line of the answer, and the URL that the Worker sees. */
async function head({ url }: Probing, ...lines: readonly string[]): Promise<unknown> {
  const { port, hostname } = new URL(url);
  const socket = createConnection({ port: Number(port), host: hostname });
  let answer = "";
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  socket.write([...lines, "Connection: close", "", ""].join("\r\n"));
  await Promise.race([once(socket, "close"), new Promise((resolve) => setTimeout(resolve, 5_000))]);
  socket.destroy();
  const [status] = /HTTP\/1.1 \d+/.exec(answer) ?? ["no answer"];
  return [status, /^x-url: (.*)$/im.exec(answer)?.[1]?.trim().replaceAll(port, "PORT")];
}

/** What takes an object out of memory. */
export const ASLEEP: readonly Case[] = [
  {
    title: "attachments, tags and sockets outlive the object's memory",
    async run(probing) {
      const client = await probing.client("sleeps", "&tag=bed");
      client.say("keep:safe", "life:");
      const [life] = await client.hears(1);
      await probing.evict("sleeps");
      client.say("kept:", "tags:", "life:");
      const [, kept, tags, next] = await client.hears(4);
      return [kept, tags, life === next, await probing.call("sleeps", "sockets", "bed")];
    },
    expected: ['{"kept":"safe"}', '["bed"]', false, 1],
  },
  {
    title: "a close wakes the object, with what is attached",
    async run(probing) {
      const client = await probing.client("woken", "&tag=bed");
      client.say("keep:safe", "life:");
      await client.hears(1);
      await probing.evict("woken");
      client.socket.close(4003, "up");
      return probing.notes("woken", 1, "answer");
    },
    expected: [
      'closed 4003 "up" clean, counted of 1, tags bed, {"kept":"safe"}',
      "send: done",
      "answer: done",
    ],
  },
  {
    title: "pings are answered without waking the object, and when is noted",
    async run(probing) {
      const client = await probing.client("pings");
      client.say("life:");
      const [life] = await client.hears(1);
      const before = await probing.call("pings", "pinged");
      await probing.evict("pings");
      client.say("ping", "ping ", "life:");
      const heard = await client.hears(3);
      const notes = await probing.notes("pings", 1, "message life");
      return [before, heard[1], heard[2] === life, notes, await probing.call("pings", "pinged")];
    },
    expected: [[false], "pong", false, ["message ping ", "message life:"], [true]],
  },
  {
    title: "rows outlive the object's memory, and are its own",
    async run(probing) {
      await probing.call("keeps", "write", "kept");
      await probing.evict("keeps");
      return [await probing.call("keeps", "stored"), await probing.call("keeps nothing", "stored")];
    },
    expected: [["kept"], []],
  },
];

export const ALL_CASES: Readonly<Record<string, readonly Case[]>> = {
  SOCKETS,
  OBJECTS,
  STORAGE,
  LINKS,
  HTTP,
  ASLEEP,
};
