import { expect, test } from "vitest";
import { readPublishSecrets } from "../../../shared/config/publish-secrets.ts";

const [OLD, NEW] = ["o".repeat(32), "n".repeat(32)];

test("one secret, or two of which the first comes first", () => {
  const secretsOf = (text: string) => {
    const read = readPublishSecrets(text);
    return read.ok ? read.secrets.map((secret) => new TextDecoder().decode(secret)) : read.problem;
  };

  expect(secretsOf(OLD)).toEqual([OLD]);
  expect(secretsOf(` ${NEW}, ${OLD}\n`)).toEqual([NEW, OLD]);
});

test.each([
  ["", "has a secret of less than 32 bytes"],
  ["short", "has a secret of less than 32 bytes"],
  [`${NEW},short`, "has a secret of less than 32 bytes, number 2"],
  [`${NEW},${OLD},${"x".repeat(32)}`, "must be one secret, or 2 with a comma between them"],
  [`${NEW},${NEW}`, "has the same secret twice"],
])("%j is told of without showing it", (text, problem) => {
  expect(readPublishSecrets(text)).toEqual({ ok: false, problem });
});
