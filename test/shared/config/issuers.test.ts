import { expect, test } from "vitest";
import { readIssuers } from "../../../shared/config/issuers.ts";

const entry = { issuer: "https://auth.example.com", audience: "distributary" };

test.each(["https://user:hush@auth.example.com/jwks", "https://:hush@auth.example.com/jwks"])(
  "a URL with a password is refused, and not repeated: %s",
  (jwksUrl) => {
    const read = readIssuers(JSON.stringify([{ ...entry, jwksUrl }]));
    expect(read).toMatchObject({ ok: false });
    expect(JSON.stringify(read)).not.toContain("hush");
  },
);

test("a URL may have a query", () => {
  const jwksUrl = "https://auth.example.com/jwks?tenant=1";
  expect(readIssuers(JSON.stringify([{ ...entry, jwksUrl }]))).toMatchObject({
    ok: true,
    issuers: [{ ...entry, jwksUrl, lifetimeSeconds: 86_400 }],
  });
});
