/**
 * What origins mark published records with: one secret, or two while one takes the other's place. The first marks, both are
 * recognised. To rotate without a pause, each step at all origins before the next: `old,new`, `new,old`, and `new` no sooner
 * than 20 minutes later, when nobody may retry any more what the old one marked.
 */

export type PublishSecretsResult =
  | { readonly ok: true; readonly secrets: readonly [Uint8Array, ...Uint8Array[]] }
  /** What is wrong, to be read after the name of the setting. Never shows a secret. */
  | { readonly ok: false; readonly problem: string };

const MIN_SECRET_BYTES = 32;
const MAX_SECRETS = 2;

/** Reads `secret` or `secret,secret`. A secret holds no comma. */
export function readPublishSecrets(text: string): PublishSecretsResult {
  const [first, ...others] = text.split(",").map((secret) => new TextEncoder().encode(secret.trim()));
  const secrets = first && ([first, ...others] as const);
  if (secrets === undefined || secrets.length > MAX_SECRETS)
    return { ok: false, problem: `must be one secret, or ${MAX_SECRETS} with a comma between them` };
  const short = secrets.findIndex((secret) => secret.length < MIN_SECRET_BYTES);
  if (short >= 0)
    return {
      ok: false,
      problem: `has a secret of less than ${MIN_SECRET_BYTES} bytes${secrets.length > 1 ? `, number ${short + 1}` : ""}`,
    };
  if (secrets.length > 1 && text.split(",")[0]?.trim() === text.split(",")[1]?.trim())
    return { ok: false, problem: "has the same secret twice" };
  return { ok: true, secrets };
}
