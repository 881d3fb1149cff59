/**
 * `AUTH_ISSUERS`: who may issue tokens. A JSON list, since one issuer has several fields and deployments have few issuers;
 * issuers.schema.json is made from this schema.
 */
import * as v from "valibot";

const HOUR = 3_600;

function hasPassword(text: string): boolean {
  const { username, password } = URL.canParse(text) ? new URL(text) : { username: "", password: "" };
  return username !== "" || password !== "";
}

const Https = v.pipe(
  v.string(),
  v.maxLength(2_000),
  v.check(
    (text) => URL.canParse(text) && ["https:", "http:"].includes(new URL(text).protocol),
    "must be a URL of http or https",
  ),
  v.check((text) => !hasPassword(text), "must be without a user and a password, which no fetch sends"),
);

const Fields = {
  issuer: v.pipe(
    v.string(),
    v.minLength(1),
    v.maxLength(500),
    v.description("The tokens' iss, as it stands there."),
  ),
  audience: v.pipe(
    v.union([
      v.pipe(v.string(), v.minLength(1)),
      v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1), v.maxLength(20)),
    ]),
    v.description("The tokens' aud, or several of which it must have one."),
  ),
  lifetimeSeconds: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(60),
      v.maxValue(366 * 24 * HOUR),
      v.description("The longest that its tokens may be valid."),
    ),
    24 * HOUR,
  ),
};

const IssuerSchema = v.union([
  v.strictObject({ ...Fields, jwksUrl: v.pipe(Https, v.description("Where its keys can be had.")) }),
  v.strictObject({
    ...Fields,
    jwks: v.pipe(v.strictObject({ keys: v.array(v.looseObject({})) }), v.description("Its keys, a JWK Set.")),
  }),
  v.strictObject({
    ...Fields,
    secret: v.pipe(
      v.string(),
      v.check((text) => new TextEncoder().encode(text).length >= 32, "must have at least 32 bytes"),
      v.description("For HS256: the bytes of this text."),
    ),
  }),
]);

export const IssuersSchema = v.pipe(v.array(IssuerSchema), v.maxLength(20));

/** As they are written. */
export type IssuersInput = v.InferInput<typeof IssuersSchema>;

export type IssuerSettings = v.InferOutput<typeof IssuerSchema>;

export type IssuersResult =
  | { readonly ok: true; readonly issuers: readonly IssuerSettings[] }
  | { readonly ok: false; readonly problem: string };

/**
 * An empty text means none, and so does null, which is what workerd has for a secret that isn't set. No secret is shown in a
 * problem.
 */
export function readIssuers(text: string | null | undefined): IssuersResult {
  if (!text?.trim()) return { ok: true, issuers: [] };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return {
      ok: false,
      problem: 'AUTH_ISSUERS isn\'t JSON: a list such as [{"issuer": …, "audience": …, "jwksUrl": …}]',
    };
  }
  const parsed = v.safeParse(IssuersSchema, json);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const at = v.getDotPath(issue);
    return { ok: false, problem: `AUTH_ISSUERS${at === null ? "" : `, ${at}`}: ${problemOf(issue)}` };
  }
  const names = parsed.output.map(({ issuer }) => issuer);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return { ok: false, problem: `AUTH_ISSUERS: ${twice} is there twice` };
  return { ok: true, issuers: parsed.output };
}

/** Of a union every alternative has its own problems; what is received may be a secret. */
function problemOf(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "union")
    return "an issuer has issuer, audience, and one of jwksUrl, jwks and secret (of 32 bytes and more), and may have lifetimeSeconds";
  return issue.message.replace(/ but received .*$/s, "");
}
