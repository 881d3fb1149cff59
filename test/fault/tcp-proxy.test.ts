/** The proxy itself: a network that doesn't do what it says would show nothing. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

let server: Server;
let accepted: Socket[];
let proxy: TcpProxy;

beforeEach(async () => {
  accepted = [];
  server = createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => socket.write(`<${bytes}>`));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  proxy = await TcpProxy.open(typeof address === "object" ? address?.port : undefined);
});

afterEach(async () => {
  await proxy.close();
  for (const socket of accepted) socket.destroy();
  server.close();
});

function dial() {
  const socket = connect({ port: proxy.port, host: "127.0.0.1" });
  const client = { socket, heard: "", closed: false };
  socket.on("data", (bytes) => {
    client.heard += bytes;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    client.closed = true;
  });
  return client;
}

test("bytes pass in both directions, and so does an orderly close", async () => {
  const client = dial();
  client.socket.write("a");
  await eventually(() => client.heard === "<a>", "an echo");
  client.socket.end();
  await eventually(() => client.closed && proxy.connections === 0, "a close");
});

test("a cut ends what is open on both sides; who dials again gets through", async () => {
  const client = dial();
  client.socket.write("a");
  await eventually(() => client.heard === "<a>", "an echo");
  proxy.cut();
  await eventually(() => client.closed && accepted[0]?.destroyed, "both ends closed");

  const again = dial();
  again.socket.write("b");
  await eventually(() => again.heard === "<b>", "an echo");
  again.socket.destroy();
});

test("a connection is cut off at the byte that is said, and the next one after as many as are said then", async () => {
  const lengths = [4, 0, 2];
  proxy.cutsAfter = () => lengths.shift() ?? 1_000;
  const heard: string[] = [];
  for (let i = 0; i < 3; i++) {
    const client = dial();
    client.socket.write("abc");
    await eventually(() => client.heard === "<abc>" || client.closed, "an answer, or a cut");
    if (!client.closed) client.socket.write("d");
    await eventually(() => client.closed, "the cut");
    heard.push(client.heard);
  }

  expect(heard).toEqual(["<abc", "", "<a"]);
  expect(proxy.cuts).toBe(3);
});

test("what is delayed comes whole and in order, also where the delay ends in between", async () => {
  const client = dial();
  client.socket.write("0");
  await eventually(() => client.heard === "<0>", "an echo");
  proxy.delayMs = 100;
  const started = performance.now();
  for (const text of ["1", "2"]) {
    client.socket.write(text);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  proxy.delayMs = 0;
  client.socket.write("3");
  await eventually(() => client.heard.includes("3>"), "all");
  expect(client.heard.replaceAll(/[<>]/g, "")).toBe("0123");
  expect(performance.now() - started).toBeGreaterThan(90);
  client.socket.destroy();
});

test("silenced, both ends seem to be connected and hear nothing, not even closes; later connections get through", async () => {
  const client = dial();
  client.socket.write("a");
  await eventually(() => client.heard === "<a>", "an echo");
  proxy.silence();
  client.socket.write("b");
  const during = dial();
  await once(during.socket, "connect");
  during.socket.write("c");
  proxy.speak();
  const after = dial();
  after.socket.write("d");
  await eventually(() => after.heard === "<d>", "an echo");
  client.socket.destroy();
  after.socket.write("e");
  await eventually(() => after.heard === "<d><e>", "an echo");

  expect([client.heard, during.heard]).toEqual(["<a>", ""]);
  expect(accepted[0]?.destroyed).toBe(false);
  during.socket.destroy();
  after.socket.destroy();
});

test("a slow line carries all bytes in order, little by little, and connections share it", async () => {
  proxy.bytesPerSecond = 20_000;
  const [one, other] = [dial(), dial()];
  const sent = Array.from({ length: 1_500 }, (_, i) => i % 10).join("");
  one.socket.write(sent);
  other.socket.write(sent);

  await eventually(() => one.heard.length > 0 && other.heard.length > 0, "the first bytes of both");
  one.socket.write("end");
  await eventually(() => one.heard === `<${sent}><end>` || one.heard === `<${sent}end>`, "all of one");
  await eventually(() => other.heard === `<${sent}>`, "all of the other");
});

test("a line that is slow one way only holds back what goes to the target, until it is slow no longer", async () => {
  proxy.bytesPerSecondTo = 2_000;
  const client = dial();
  const sent = "x".repeat(20_000);
  client.socket.write(sent);
  await eventually(() => client.heard.length > 0, "the first bytes");
  expect(accepted[0]?.bytesRead).toBeLessThan(sent.length);

  proxy.bytesPerSecondTo = undefined;

  await eventually(() => client.heard.replaceAll(/[<>]/g, "") === sent, "all");
});

test("a line that is slow no longer carries what comes at once, after what it held", async () => {
  proxy.bytesPerSecond = 4_000;
  const client = dial();
  const sent = "x".repeat(20_000);
  client.socket.write(sent);
  await eventually(() => client.heard.length > 0, "the first bytes");
  expect(client.heard.length).toBeLessThan(sent.length);

  proxy.bytesPerSecond = undefined;
  client.socket.write("end");

  await eventually(() => client.heard.replaceAll(/[<>]/g, "") === `${sent}end`, "all");
});

test("while answers get lost, what is asked arrives; after the cut both do", async () => {
  const client = dial();
  proxy.losesAnswers = true;
  client.socket.write("a");
  await eventually(() => accepted[0] !== undefined && accepted[0].bytesRead > 0, "it was asked");
  proxy.cut();
  proxy.losesAnswers = false;
  await eventually(() => client.closed, "the connection broke");

  const next = dial();
  next.socket.write("b");
  await eventually(() => next.heard === "<b>", "an answer");

  expect(client.heard).toBe("");
});
