import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { reach, wordsOf } from "../../../origin/doctor/reach.ts";
import { freePort } from "../../support/ports.ts";

const BLAME = { address: "KAFKA_BROKERS", authorities: "KAFKA_TLS_CA", tls: "set KAFKA_TLS=off" };

describe("an address", () => {
  test("that can be reached", async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;

    expect(await reach({ host: "localhost", port }, undefined)).toEqual({ ok: true });
    expect(await reach({ host: "127.0.0.1", port }, {})).toMatchObject({ ok: false, step: "tls" });
    server.close();
  });

  test("where nobody listens, and one whose name means nothing", async () => {
    const port = await freePort();

    expect(await reach({ host: "127.0.0.1", port }, undefined)).toMatchObject({
      step: "tcp",
      code: "ECONNREFUSED",
    });
    expect(await reach({ host: "nowhere.invalid", port }, undefined)).toMatchObject({ step: "name" });
  });
});

test.each([
  ["name", "ENOTFOUND", "", /name can't be resolved here \(ENOTFOUND\)/, /correct KAFKA_BROKERS, or the DNS/],
  ["tcp", "ECONNREFUSED", "", /nobody listens/, /start it/],
  ["tcp", "ETIMEDOUT", "", /no answer comes from there/, /firewall/],
  ["tcp", "EHOSTUNREACH", "", /no answer comes from there/, /route/],
  ["tcp", "EMFILE", "", /EMFILE/, /KAFKA_BROKERS/],
  ["tls", "SELF_SIGNED_CERT_IN_CHAIN", "", /authority that isn't trusted/, /set KAFKA_TLS_CA/],
  ["tls", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "", /authority that isn't trusted/, /set KAFKA_TLS_CA/],
  [
    "tls",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "DNS:b",
    /for other names \(DNS:b\)/,
    /one of these names in KAFKA_BROKERS/,
  ],
  ["tls", "CERT_HAS_EXPIRED", "", /not valid now/, /renew it/],
  ["tls", "EPROTO", "ssl: wrong version number", /doesn't speak TLS/, /set KAFKA_TLS=off/],
  ["tls", "ECONNRESET", "", /doesn't speak TLS/, /set KAFKA_TLS=off/],
  ["tls", "ERR_X", "something else", /TLS fails: something else/, /log/],
] as const)("%s %s %s is said in words, with what to do", (step, code, message, says, todo) => {
  const words = wordsOf({ ok: false, step, code, message }, BLAME);

  expect(words.says).toMatch(says);
  expect(words.todo).toMatch(todo);
});
