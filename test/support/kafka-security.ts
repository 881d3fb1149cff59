/** A broker's TLS certificate, its clients' and its accounts, made for one run by Java's own keytool. */
import { execFile } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const PASSWORD = "of the store";
const EXPORT_KEY = join(import.meta.dirname, "../kafka/ExportKey.java");

/** PEM texts. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

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
 */
export async function securityOf(
  folder: string,
  port: number,
  mutualPort: number,
  password = "reader's secret",
): Promise<Security> {
  const [broker, client, stranger] = await Promise.all([
    identityOf(folder, "broker"),
    identityOf(folder, "client"),
    identityOf(folder, "stranger"),
  ]);
  const trusted = storeOf(folder, "trusted");
  rmSync(trusted, { force: true });
  const certificate = join(folder, "client.pem");
  writeFileSync(certificate, client.cert);
  await run("keytool", [
    ...["-importcert", "-noprompt", "-storetype", "PKCS12", "-alias", "client", "-file", certificate],
    ...["-keystore", trusted, "-storepass", PASSWORD],
  ]);
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
      "listener.name.mutual.ssl.truststore.password": PASSWORD,
      "listener.name.mutual.ssl.truststore.type": "PKCS12",
      "ssl.keystore.location": storeOf(folder, "broker"),
      "ssl.keystore.password": PASSWORD,
      "ssl.keystore.type": "PKCS12",
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

const storeOf = (folder: string, name: string) => join(folder, `${name}.p12`);

async function identityOf(folder: string, name: string): Promise<Identity> {
  const store = storeOf(folder, name);
  rmSync(store, { force: true });
  const keytool = (...args: string[]) =>
    run("keytool", [...args, "-keystore", store, "-storepass", PASSWORD, "-alias", name]);
  await keytool(
    ...["-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12", "-validity", "2"],
    ...["-dname", `CN=${name}`, "-ext", "san=ip:127.0.0.1,dns:localhost"],
  );
  const { stdout: cert } = await keytool("-exportcert", "-rfc");
  const { stdout: key } = await run("java", [EXPORT_KEY, store, PASSWORD, name]);
  return { cert, key };
}
