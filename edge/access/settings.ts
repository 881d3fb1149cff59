/** A deployment's settings of access, as they are given. */
import { type IssuerSettings, readIssuers } from "../../shared/config/issuers.ts";
import { type CredentialRules, readWebOrigins } from "./credentials.ts";
import { type KeySet, readKeySet, secretKeySet } from "./key-set.ts";

export interface AccessSettings {
  readonly AUTH_ISSUERS?: string | undefined;
  readonly WEB_ORIGINS?: string | undefined;
  readonly AUTH_COOKIE?: string | undefined;
}

export interface AccessRules {
  /** Each with its keys, if these stand in the settings. */
  readonly issuers: readonly { readonly settings: IssuerSettings; readonly keys: KeySet | undefined }[];
  readonly rules: CredentialRules;
}

/** Throws with every problem, one a line. No secret is in it. */
export async function readAccess(given: AccessSettings): Promise<AccessRules> {
  const problems: string[] = [];
  const read = readIssuers(given.AUTH_ISSUERS);
  if (!read.ok) problems.push(read.problem);
  const issuers = await Promise.all(
    (read.ok ? read.issuers : []).map(async (settings) => {
      if ("jwksUrl" in settings) return { settings, keys: undefined };
      const keys =
        "secret" in settings
          ? secretKeySet(new TextEncoder().encode(settings.secret))
          : await readKeySet(settings.jwks);
      if (keys === undefined)
        problems.push(`AUTH_ISSUERS: the jwks of ${settings.issuer} has no key that can verify tokens`);
      return { settings, keys };
    }),
  );
  const origins = readWebOrigins(given.WEB_ORIGINS);
  if (!origins.ok) problems.push(origins.problem);
  const cookie = given.AUTH_COOKIE || undefined;
  if (cookie !== undefined && !/^[A-Za-z0-9_.-]{1,64}$/.test(cookie))
    problems.push("AUTH_COOKIE must be the name of a cookie, of letters, digits, _, . and -");
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return { issuers, rules: { cookie, webOrigins: origins.ok ? origins.origins : undefined } };
}

export async function accessProblems(given: AccessSettings): Promise<readonly string[]> {
  try {
    await readAccess(given);
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
