/** Asks the edge by the way that clients come, so that what stands in between can be seen. */
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { ROUTES } from "../../shared/protocol/version.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { upgradeStatus } from "./edge.ts";
import { type Finding, wrong } from "./finding.ts";
import { PROBES, type Probed, pathFindings, upgradeFinding } from "./proxy-findings.ts";

/** @param publicUrl Where clients come in, with the path below which the edge is, if any. */
export async function* examineProxy(publicUrl: URL): AsyncGenerator<Finding, void> {
  const what = `clients' way, ${publicUrl.origin}`;
  const base = publicUrl.pathname.replace(/\/$/, "");
  const probed: Probed[] = [];
  for (const { sent } of PROBES) {
    const came = await probe(publicUrl, `${base}${ROUTES.probe}${sent}`);
    if (came instanceof Error && probed.length === 0)
      return yield wrong(what, `nothing can be asked there: ${came.message}`, "correct PUBLIC_URL");
    probed.push({ sent, came });
  }
  yield* pathFindings(what, probed);
  // There is no endpoint: an edge takes it, and says so by closing it (H9).
  yield upgradeFinding(what, await upgradeStatus(new URL(`${base}${ROUTES.probe}`, publicUrl), {}));
}

/** Never rejects. The path goes out as it is: a URL parser would take things away from it. */
function probe(to: URL, path: string): Promise<Probed["came"]> {
  const { promise, resolve } = Promise.withResolvers<Probed["came"]>();
  const request = to.protocol === "https:" ? requestHttps : requestHttp;
  const { hostname, port } = to;
  const host = hostname.replace(/^\[|\]$/g, "");
  const asked = request({ host, port, path, timeout: TIME_LIMITS.doctorEdgeMs }, (answer) => {
    const parts: Buffer[] = [];
    answer.on("data", (part: Buffer) => parts.push(part));
    answer.on("error", resolve);
    answer.on("end", () => resolve(pathIn(Buffer.concat(parts)) ?? answer.statusCode ?? 0));
  });
  asked.on("timeout", () => asked.destroy(new Error("nothing is answered")));
  asked.on("error", resolve);
  asked.end();
  return promise;
}

function pathIn(body: Buffer): string | undefined {
  try {
    const said: unknown = JSON.parse(body.toString());
    return typeof said === "object" && said !== null && "path" in said ? String(said.path) : undefined;
  } catch {
    return undefined;
  }
}
