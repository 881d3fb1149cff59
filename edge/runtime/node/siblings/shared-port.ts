/** Whether processes can listen on one port, and the system spreads connections over them: what not every system, nor Node, has. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";

export async function canSharePort(): Promise<boolean> {
  const first = createServer();
  const second = createServer();
  try {
    await listen(first, 0);
    await listen(second, (first.address() as AddressInfo).port);
    return true;
  } catch {
    // A Node that doesn't know the option says that the port is taken.
    return false;
  } finally {
    first.close();
    second.close();
  }
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen({ host: "127.0.0.1", port, reusePort: true });
  await once(server, "listening");
}
