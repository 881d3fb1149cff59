/** Cases of requests to the Worker, and of handshakes. */
import { once } from "node:events";
import { createConnection } from "node:net";
import { eventually } from "../../support/deadline.ts";
import { Client, type Probing } from "../client.ts";
import type { Case } from "./case.ts";

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
