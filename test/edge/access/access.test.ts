/** Whose a token is, at a handshake and when it renews another one. */
import { expect, test } from "vitest";
import { accessOf } from "../../../edge/access/access.ts";
import type { Env } from "../../../edge/env.ts";
import { AUTH_ISSUERS, tokenOf } from "../../support/tokens.ts";

test("[A8] a token whose patterns are too long with its claims put in is refused wherever it comes", async () => {
  const access = await accessOf({ AUTH_ISSUERS } as unknown as Env);
  const subscribe = Array.from({ length: 50 }, (_, i) => `/t/{sub}${i}`);
  const [long, short] = [
    await tokenOf({ subject: "ä".repeat(250), subscribe }),
    await tokenOf({ subject: "alice", subscribe }),
  ];
  const problem = "its patterns are too long with its claims put in";

  expect(await access.verify(long, () => {})).toEqual({ ok: false, fault: "invalid_token", problem });
  const headers = new Headers({ Authorization: `Bearer ${long}` });
  expect(await access.identify(headers, false, () => {})).toMatchObject({
    ok: false,
    code: "invalid_token",
    message: problem,
  });
  expect(await access.verify(short, () => {})).toMatchObject({ ok: true, bearer: { subject: "alice" } });
});
