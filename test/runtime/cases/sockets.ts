/** Cases of sockets of objects: events, closes, tags, attachments, answers to pings, bytes that are no frames. */
import { once } from "node:events";
import { createConnection } from "node:net";
import { eventually } from "../../support/deadline.ts";
import type { Probing } from "../client.ts";
import type { Case } from "./case.ts";

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
