/** What can be wrong before anything is started. Each check gives a value, or one message for a person. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { parseStreams, type Streams } from "../../shared/config/streams.ts";
import { TIME_LIMITS } from "./time-limits.ts";

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

/** A port that can be listened on now. */
export async function checkPort(host: string, text: string): Promise<Checked<number>> {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535)
    return { ok: false, problem: `PORT must be a whole number from 1 to 65535, not ${text}` };
  const deadline = performance.now() + TIME_LIMITS.portFreeMs;
  for (;;) {
    const code = await tryToListen(host, port);
    if (code === undefined) return { ok: true, value: port };
    if (code !== "EADDRINUSE")
      return { ok: false, problem: `HOST: nothing can listen on ${host}, port ${port}: ${code}` };
    if (performance.now() > deadline) {
      const other = port < 65_535 ? port + 1 : port - 1;
      return {
        ok: false,
        problem: `PORT: port ${port} of ${host} is taken by another program; choose another with --port ${other} or PORT=${other}`,
      };
    }
    await new Promise((resolve) => setTimeout(resolve, TIME_LIMITS.portLookMs));
  }
}

/** @returns the code of the error, undefined if there was none */
async function tryToListen(host: string, port: number): Promise<string | undefined> {
  const server = createServer().listen({ host, port, exclusive: true });
  try {
    await once(server, "listening");
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
  server.close();
  await once(server, "close");
  return undefined;
}

/** streams.json; every problem in it stands in the one message, with its path in the file. */
export function checkStreams(path: string): Checked<Streams> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return { ok: false, problem: `STREAMS: ${path} can't be read: ${reason(error)}` };
  }
  const result = parseStreams(text);
  if (result.ok) return { ok: true, value: result.streams };
  const list = result.problems.map((problem) => `\n  ${problem}`).join("");
  return { ok: false, problem: `STREAMS: ${path} can't be used as it is:${list}` };
}

export const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));
