/** Answers of the edge on Node that break off. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { answerWith } from "../../edge/runtime/node/http/exchange.ts";
import { Response } from "../../edge/runtime/node/web/response.ts";

/** More than the network's own buffers take. */
const PIECE = new Uint8Array(64 * 1024 * 1024);

test("an answer that breaks off while its client takes nothing ends the connection", async () => {
  let breakOff = () => {};
  let isStuck = () => {};
  const stuck = new Promise<void>((resolve) => (isStuck = resolve));
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(PIECE);
      breakOff = () => controller.error(new Error("the answer isn't taken"));
    },
  });
  const server = createServer((_, to) => {
    const write = to.write.bind(to);
    to.write = ((piece: Uint8Array) => {
      const goesOn = write(piece);
      if (!goesOn) isStuck();
      return goesOn;
    }) as typeof to.write;
    void answerWith(new Response(body), to, false);
  });
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1").pause();
  onTestFinished(() => void client.destroy());
  client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const [connection] = (await accepted) as [Socket];
  await stuck;

  breakOff();
  if (!connection.destroyed) await once(connection, "close");

  expect(connection.destroyed).toBe(true);
}, 20_000);
