/**
 * Ports of 127.0.0.1 for processes that begin to listen later. Tests of several files run at once, so each worker of vitest
 * has a range of its own, and it lies below those that the system gives to others meanwhile.
 */
import { once } from "node:events";
import { createServer } from "node:net";

const FIRST = 11_000;
const RANGE = 1_300;
const RANGES = 16;

const begin = FIRST + (Number(process.env.VITEST_POOL_ID ?? 0) % RANGES) * RANGE;
/** From anywhere, since other runs of the tests may be under way on this machine. */
let at = Math.floor(Math.random() * RANGE);

/** All different; nobody listens on them just now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === RANGE) throw new Error(`no ${count} ports from ${begin} to ${begin + RANGE} are free`);
    const port = begin + (at++ % RANGE);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
