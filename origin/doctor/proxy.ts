/** Asks the edge by the way that clients come, so that what stands in between can be seen. */
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { ROUTES } from "../../shared/protocol/version.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { upgradeStatus } from "./edge.ts";
import { type Finding, wrong } from "./finding.ts";
import {
  ledBelow,
  PROBES,
  type Probed,
  pathFindings,
  redirectFinding,
  upgradeFinding,
} from "./proxy-findings.ts";

/** What every proxy lets through. */
const LED = "/led";

/** @param publicUrl Where clients come in, with the path below which the edge is, if any. */
export async function* examineProxy(publicUrl: URL): AsyncGenerator<Finding, void> {
  const what = `clients' way, ${publicUrl.origin}`;
  const base = publicUrl.pathname.replace(/\/$/, "");
  const probed: Probed[] = [];
  for (const { sent } of PROBES) {
    const came = cameAs(await ask(publicUrl, `${base}${ROUTES.probe}${sent}`));
    if (came instanceof Error && probed.length === 0)
      return yield wrong(what, `nothing can be asked there: ${came.message}`, "correct PUBLIC_URL");
    probed.push({ sent, came });
  }
  yield* pathFindings(what, probed);
  yield* examineRedirect(what, publicUrl, base);
  // There is no endpoint: an edge takes it, and says so by closing it (H9).
  yield upgradeFinding(what, await upgradeStatus(new URL(`${base}${ROUTES.probe}`, publicUrl), {}));
}

/** An edge leads from its root to its page. What has no redirect there may be somebody else's. */
async function* examineRedirect(what: string, publicUrl: URL, base: string): AsyncGenerator<Finding, void> {
  const answer = await ask(publicUrl, `${base}/`);
  if (answer instanceof Error || answer.location === undefined) return;
  const below = ledBelow(publicUrl, answer.location);
  const arrives =
    below !== undefined && cameAs(await ask(publicUrl, `${below}${ROUTES.probe}${LED}`)) === LED;
  yield redirectFinding(what, publicUrl, answer.location, arrives);
}

interface Answer {
  readonly status: number;
  /** Where it redirects to, as it stands there; undefined if it doesn't. */
  readonly location: string | undefined;
  readonly body: string;
}

/** Never rejects. The path goes out as it is: a URL parser would take things away from it. */
function ask(to: URL, path: string): Promise<Answer | Error> {
  const { promise, resolve } = Promise.withResolvers<Answer | Error>();
  const request = to.protocol === "https:" ? requestHttps : requestHttp;
  const { hostname, port } = to;
  const host = hostname.replace(/^\[|\]$/g, "");
  const asked = request({ host, port, path, timeout: TIME_LIMITS.doctorEdgeMs }, (answer) => {
    const parts: Buffer[] = [];
    answer.on("data", (part: Buffer) => parts.push(part));
    answer.on("error", resolve);
    answer.on("end", () => {
      const { statusCode = 0, headers } = answer;
      resolve({ status: statusCode, location: headers.location, body: Buffer.concat(parts).toString() });
    });
  });
  asked.on("timeout", () => asked.destroy(new Error("nothing is answered")));
  asked.on("error", resolve);
  asked.end();
  return promise;
}

const cameAs = (answer: Answer | Error): Probed["came"] =>
  answer instanceof Error ? answer : (pathIn(answer.body) ?? answer.status);

function pathIn(body: string): string | undefined {
  try {
    const said: unknown = JSON.parse(body);
    return typeof said === "object" && said !== null && "path" in said ? String(said.path) : undefined;
  } catch {
    return undefined;
  }
}
