/** Serves the page, which an application has on a web server of its own. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";

/** Where the page looks for the edge, as it lies here. */
const EDGE = "http://127.0.0.1:8787";

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/rooms.js": ["rooms.js", "text/javascript; charset=utf-8"],
};

/** Resolves when it listens. `port` 0: any that is free. */
export async function serveSite(edge: string, port: number): Promise<Server> {
  const server = createServer(async ({ url = "/" }, response) => {
    const [file, type] = FILES[url] ?? [];
    if (file === undefined || type === undefined) {
      response.writeHead(404).end();
      return;
    }
    const text = await readFile(join(import.meta.dirname, file), "utf8");
    response.writeHead(200, { "Content-Type": type }).end(text.replaceAll(EDGE, edge));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}
