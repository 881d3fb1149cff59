/** How much a request is told of the deployment itself: names of origins, and what is counted. */
import type { Identified } from "../access/access.ts";
import { logProblem } from "../answers.ts";
import type { Env } from "../env.ts";
import type { KnownPrincipal } from "../principal.ts";

/** "counts": whether it works, and how many there are of what. */
export type Insight = "all" | "counts";

/** What proxies say of themselves: behind one, strangers come from this machine, too. */
const FORWARDED = ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"];

/** Never throws: a probe is answered while nobody's token can be judged. */
export async function insightOf(
  request: Request,
  { DETAILS }: Pick<Env, "DETAILS">,
  identify: () => Promise<Identified>,
  isRevoked: (principal: KnownPrincipal) => Promise<boolean>,
): Promise<Insight> {
  if (DETAILS === "on" && FORWARDED.every((name) => !request.headers.has(name))) return "all";
  // Most who ask have nothing to show.
  if (!request.headers.has("Authorization") && !request.headers.has("Cookie")) return "counts";
  try {
    const identified = await identify();
    if (!identified.ok) return "counts";
    const { principal } = identified.known;
    const isAdmin = principal.kind === "known" && principal.grants.admin && !(await isRevoked(principal));
    return isAdmin ? "all" : "counts";
  } catch (error) {
    logProblem("the Worker", error);
    return "counts";
  }
}
