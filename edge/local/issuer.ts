/**
 * The issuer that `npm start` makes: for development, its tokens count at the edge of the same data folder only. Its key is
 * made once, so that tokens outlive a restart.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from "node:crypto";
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SignJWT } from "jose";
import type { IssuersInput } from "../../shared/config/issuers.ts";
import { makeFolder } from "../../shared/node/make-folder.ts";
import { issuerOf } from "../access/issuer.ts";
import { readAccess } from "../access/settings.ts";
import { type TokenResult, verifyToken } from "../access/token.ts";
import { type Checked, reason } from "./checks.ts";

const NAME = "local";
const AUDIENCE = "distributary";
/** The longest that a token may be valid which is made here. */
export const LONGEST_SECONDS = 30 * 24 * 3_600;

/** In the data folder. */
const KEY_FILE = "local-issuer.pem";

export interface Granted {
  readonly subject: string;
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly discover: readonly string[];
  readonly admin: boolean;
  readonly seconds: number;
}

export class LocalIssuer {
  readonly #key: KeyObject;
  readonly #kid: string;

  constructor(key: KeyObject) {
    this.#key = key;
    const bytes = createPublicKey(key).export({ type: "spki", format: "der" });
    this.#kid = createHash("sha256").update(bytes).digest("base64url").slice(0, 16);
  }

  /** As AUTH_ISSUERS; only what is public of the key. */
  get settings(): string {
    const jwk = { ...createPublicKey(this.#key).export({ format: "jwk" }), kid: this.#kid, alg: "ES256" };
    const issuers: IssuersInput = [
      { issuer: NAME, audience: AUDIENCE, lifetimeSeconds: LONGEST_SECONDS, jwks: { keys: [jwk] } },
    ];
    return JSON.stringify(issuers);
  }

  async mint({ subject, seconds, ...rights }: Granted, now: Date): Promise<string> {
    const issuedAt = Math.floor(now.getTime() / 1_000);
    return new SignJWT({ distributary: rights })
      .setProtectedHeader({ alg: "ES256", kid: this.#kid })
      .setIssuer(NAME)
      .setAudience(AUDIENCE)
      .setSubject(subject)
      .setJti(randomUUID())
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + seconds)
      .sign(this.#key);
  }

  /** What the edge would say of a token. */
  async verify(token: string, now: Date): Promise<TokenResult> {
    const { issuers } = await readAccess({ AUTH_ISSUERS: this.settings });
    const ports = { fetch, now: Date.now, problem: () => {} };
    return verifyToken(
      token,
      issuers.map((one) => issuerOf(one, ports)),
      now.getTime(),
      () => {},
    );
  }
}

export function hasLocalIssuer(dataDir: string): boolean {
  return statSync(join(dataDir, KEY_FILE), { throwIfNoEntry: false }) !== undefined;
}

/** The one of this data folder, which is made if there is none. */
export function localIssuer(dataDir: string): Checked<LocalIssuer> {
  const file = join(dataDir, KEY_FILE);
  try {
    if (!hasLocalIssuer(dataDir)) makeKey(dataDir, file);
    const others = statSync(file).mode & 0o077;
    if (others !== 0) return wrong(`${file} can be read by others than its owner: chmod 600 it`);
    const key = createPrivateKey(readFileSync(file, "utf8"));
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1")
      return { ok: true, value: new LocalIssuer(key) };
    return wrong(`${file} holds another key than one for ES256; ${REMEDY}`);
  } catch (error) {
    const isSystems = error instanceof Error && "syscall" in error;
    return wrong(isSystems ? `${file} can't be read: ${reason(error)}` : `${file} holds no key; ${REMEDY}`);
  }
}

const REMEDY = "move it away: a new one is made, and tokens of the old one count no more";

function wrong(problem: string): Checked<LocalIssuer> {
  return { ok: false, problem: `DATA_DIR: the local issuer's key ${problem}` };
}

/** Whole, or not at all; of two processes that make it at once, the first one's counts. */
function makeKey(dataDir: string, file: string): void {
  makeFolder(dataDir);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600, flag: "wx" });
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!hasLocalIssuer(dataDir)) throw error;
  } finally {
    rmSync(draft);
  }
}
