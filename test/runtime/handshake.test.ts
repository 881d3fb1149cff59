/** How the runtime on Node answers a handshake. */
import { type AddressInfo, createConnection } from "node:net";
import { expect, test } from "vitest";
import { acceptanceOf, faultOf } from "../../edge/runtime/node/http/handshake.ts";
import { openDoor } from "../../edge/runtime/node/http/server.ts";
import { WebSocketPair } from "../../edge/runtime/node/sockets/web-socket.ts";
import { Request } from "../../edge/runtime/node/web/request.ts";
import { Response } from "../../edge/runtime/node/web/response.ts";
import { fulfilled } from "../support/fulfilled.ts";

const SOUND = { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "13" };
const asked = (headers: Readonly<Record<string, string>>, method = "GET") =>
  new Request("http://a", { method, headers: { ...SOUND, ...headers } });

test("it is the answer of RFC 6455, with a subprotocol only for one who offered any", () => {
  const answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

  expect(acceptanceOf(asked({}), "a").toString()).toBe([...answer, accept, "", ""].join("\r\n"));
  expect(acceptanceOf(asked({ "sec-websocket-protocol": "b, a" }), "a").toString()).toBe(
    [...answer, accept, "Sec-WebSocket-Protocol: a", "", ""].join("\r\n"),
  );
});

test.each([
  [asked({}), undefined],
  [asked({ "sec-websocket-version": "8" }), undefined],
  [asked({ "sec-websocket-protocol": "a, b" }), undefined],
  [asked({}, "PUT"), "Invalid HTTP method"],
  [asked({ "sec-websocket-key": "short" }), "Missing or invalid Sec-WebSocket-Key header"],
  [asked({ "sec-websocket-version": "12" }), "Missing or invalid Sec-WebSocket-Version header"],
  [asked({ "sec-websocket-protocol": "a,,b" }), "Invalid Sec-WebSocket-Protocol header"],
])("what can't become a WebSocket is told why, %#", (request, fault) => {
  expect(faultOf(request)).toBe(fault);
});

test("one that can't be accepted is refused, and what the Worker had for it breaks", async () => {
  const left: number[] = [];
  const door = openDoor({
    worker: {
      fetch() {
        const { 0: client, 1: server } = new WebSocketPair();
        server.accept();
        server.addEventListener("close", ({ code }) => left.push(code));
        server.send("first");
        return new Response(null, { status: 101, webSocket: client });
      },
    },
    env: {},
    namespaces: new Map(),
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = door.address() as AddressInfo;
    const dial = (key: string) => {
      const socket = createConnection({ host: "127.0.0.1", port });
      const lines = ["GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket"];
      socket.write([...lines, "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`, "", ""].join("\r\n"));
      let heard = "";
      socket.on("data", (chunk: Buffer) => {
        heard += chunk.toString("latin1");
      });
      return { heard: () => heard, cut: () => socket.destroy() };
    };

    const refused = dial("short");
    await fulfilled(() => expect(refused.heard()).toMatch(/^HTTP\/1\.1 400 .*Sec-WebSocket-Key header$/s));
    await fulfilled(() => expect(left).toEqual([1006]));
    const accepted = dial(SOUND["sec-websocket-key"]);
    await fulfilled(() => expect(accepted.heard()).toMatch(/^HTTP\/1\.1 101 .*\r\n\r\n..first$/s));
    accepted.cut();
  } finally {
    door.close();
  }
});
