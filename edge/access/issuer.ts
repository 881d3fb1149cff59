/** An issuer that verifies tokens, made of what the settings say of it. */
import { keyOf } from "./key-set.ts";
import { RemoteKeys, type RemoteKeysPorts } from "./remote-keys.ts";
import type { AccessRules } from "./settings.ts";
import type { Issuer } from "./token.ts";

export function issuerOf({ settings, keys }: AccessRules["issuers"][number], ports: RemoteKeysPorts): Issuer {
  const { issuer: name, audience, lifetimeSeconds } = settings;
  const remote = "jwksUrl" in settings ? new RemoteKeys(settings.jwksUrl, ports) : undefined;
  return {
    name,
    audience: typeof audience === "string" ? [audience] : audience,
    lifetimeSeconds,
    key: async (kid, keepAlive) => {
      if (remote !== undefined) return remote.key(kid, keepAlive);
      const key = keys && keyOf(keys, kid);
      return key === undefined ? { kind: "unknown" } : { kind: "key", key };
    },
  };
}
