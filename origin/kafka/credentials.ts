/** What a connection to a broker begins with, as its files have it when the connection is made. */
import type { Renewable } from "../settings/renewable.ts";
import type { Credentials, KafkaSettings } from "./settings.ts";

/** Gives a part of the credentials that is asked for now. */
export type Renewing = <T>(part: Renewable<T>) => () => Promise<T>;

/** The same settings, with credentials that are as new as their files. */
export function withRenewal(settings: KafkaSettings, renewing: Renewing): KafkaSettings {
  const { tls, sasl, parts = {} } = settings;
  const ca = parts.ca && renewing(parts.ca);
  const identity = parts.identity && renewing(parts.identity);
  const account = parts.sasl && renewing(parts.sasl);
  const current = async (): Promise<Credentials> => {
    const [caNow, identityNow, saslNow = sasl] = await Promise.all([ca?.(), identity?.(), account?.()]);
    const tlsNow = tls && { ...tls, ...(caNow && { ca: caNow }), ...identityNow };
    return { ...(tlsNow && { tls: tlsNow }), ...(saslNow && { sasl: saslNow }) };
  };
  return { ...settings, current };
}
