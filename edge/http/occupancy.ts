/** How many subscribers an endpoint has: O1 of PROTOCOL.md. */
import { ERRORS } from "../../shared/protocol/codes.ts";
import { errorResponse, refusedToken } from "../answers.ts";
import type { Env } from "../env.ts";
import { streamOf } from "../exposed.ts";
import { encodePrincipal, type Principal } from "../principal.ts";
import { shardStubOf } from "../routing.ts";

/** To one who may read it. */
export async function occupancyOf(
  request: Request,
  env: Env,
  { path, principal }: { readonly path: string; readonly principal: Principal },
): Promise<Response> {
  if (streamOf(path)?.occupancy === "nobody")
    return errorResponse("forbidden", "how many subscribers there are isn't told of this topic");
  const told = await shardStubOf(env, path).occupancy(path, encodePrincipal(principal));
  if (told.kind === "error") {
    const { code, message } = told;
    return ERRORS[code].status === 401 ? refusedToken(code, message) : errorResponse(code, message);
  }
  const { subscribers } = told;
  const headers = { "Cache-Control": "no-store", "Content-Type": "application/json" };
  const body = request.method === "HEAD" ? null : JSON.stringify({ subscribers });
  return new Response(body, { headers });
}
