/** The game's own issuer: it knows its players, and gives each a token to post their own score, and no other's. */
import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { SCORES } from "./aggregator.ts";

const ISSUER = "https://game.example";
const AUDIENCE = "leaderboard";
const KEY_ID = "game";
const VALID_SECONDS = 3_600;

export class Game {
  /** What the edge is to know of it. */
  readonly authIssuers: string;
  readonly #key;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#key = privateKey;
    const keys = [{ ...publicKey.export({ format: "jwk" }), kid: KEY_ID }];
    this.authIssuers = JSON.stringify([{ issuer: ISSUER, audience: AUDIENCE, jwks: { keys } }]);
  }

  tokenOf(player: string): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    return new SignJWT({ distributary: { publish: [`/${SCORES}/{sub}`] } })
      .setProtectedHeader({ alg: "ES256", kid: KEY_ID })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(player)
      .setIssuedAt(now)
      .setExpirationTime(now + VALID_SECONDS)
      .sign(this.#key);
  }
}
