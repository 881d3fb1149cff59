import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { counted, dwindled, heldBy } from "./leftovers.ts";

test("connections that a process holds are counted by their states, what only listens is none", async () => {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const before = heldBy(process.pid);
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [[accepted]] = await Promise.all([once(server, "connection"), once(client, "connect")]);
  const open = heldBy(process.pid);
  client.end();
  accepted.resume();
  await once(accepted, "end");
  const halfClosed = heldBy(process.pid);

  expect(open.connections.length - before.connections.length).toBe(2);
  expect(open.descriptors).toBeGreaterThan(before.descriptors);
  expect(counted(halfClosed.connections)).toContain("1 closed by the other end alone");
  accepted.destroy();
  server.close();
});

test("what goes down is waited for as long as it does, and what stays is told", async () => {
  const down = [5, 4, 4, 3, 2, 1];
  const staying = [5, 3];

  expect(await dwindled(() => down.shift() ?? 0, 1, 10_000)).toBe(1);
  expect(await dwindled(() => staying.shift() ?? 3, 1, 50)).toBe(3);
  expect(await dwindled(() => Promise.reject(new Error("nobody says")), 1, 50)).toBeUndefined();
});
