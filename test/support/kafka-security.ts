/** A broker's TLS certificate, its clients' and its accounts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { IDENTITIES, type Identity, NEXT_IDENTITIES } from "./tls-identities.ts";

export interface Security {
  readonly port: number;
  readonly mutualPort: number;
  readonly brokers: readonly string[];
  /** Where a client's certificate is asked for, and no account. */
  readonly mutual: readonly string[];
  /** The client that is let in there, and one that isn't. */
  readonly client: Identity;
  readonly stranger: Identity;
  /** The certificate to trust, as PEM. */
  readonly ca: string;
  readonly username: string;
  readonly password: string;
  /** To be added to those that the broker has anyway. */
  readonly listener: string;
  /** Lines of server.properties. */
  readonly config: Readonly<Record<string, string>>;
  readonly formatArgs: readonly string[];
}

/**
 * Any token that names a subject opens the door with OAUTHBEARER: Kafka's own handler for development. Where there is
 * security in the folder already, it is replaced.
 * @param next Nothing is as it was before.
 */
export function securityOf(folder: string, port: number, mutualPort: number, next = false): Security {
  const { broker, client, stranger } = next ? NEXT_IDENTITIES : IDENTITIES;
  const password = next ? "reader's secret, the next" : "reader's secret";
  const keys = join(folder, "broker.pem");
  writeFileSync(keys, broker.key + broker.cert);
  const trusted = join(folder, "trusted.pem");
  writeFileSync(trusted, client.cert);
  const username = "reader";
  const scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
  const listener = "listener.name.secure";
  const login = "org.apache.kafka.common.security";
  return {
    brokers: [`127.0.0.1:${port}`],
    mutual: [`127.0.0.1:${mutualPort}`],
    client,
    stranger,
    ca: broker.cert,
    username,
    password,
    port,
    mutualPort,
    listener: `,SECURE://127.0.0.1:${port},MUTUAL://127.0.0.1:${mutualPort}`,
    formatArgs: scram.flatMap((of) => ["--add-scram", `${of}=[name=${username},password=${password}]`]),
    config: {
      "listener.name.mutual.ssl.client.auth": "required",
      "listener.name.mutual.ssl.truststore.location": trusted,
      "listener.name.mutual.ssl.truststore.type": "PEM",
      "ssl.keystore.location": keys,
      "ssl.keystore.type": "PEM",
      [`${listener}.sasl.enabled.mechanisms`]: ["PLAIN", ...scram, "OAUTHBEARER"].join(","),
      [`${listener}.plain.sasl.jaas.config`]: `${login}.plain.PlainLoginModule required user_${username}="${password}";`,
      [`${listener}.scram-sha-256.sasl.jaas.config`]: `${login}.scram.ScramLoginModule required;`,
      [`${listener}.scram-sha-512.sasl.jaas.config`]: `${login}.scram.ScramLoginModule required;`,
      [`${listener}.oauthbearer.sasl.jaas.config`]: `${login}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
      // Just long enough after each time for kafkajs, which is 10 s early, not to be too frequent for Kafka.
      [`${listener}.connections.max.reauth.ms`]: "11500",
    },
  };
}
