/** A broker's TLS certificate and accounts, made for one run by Java's own keytool. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const PASSWORD = "of the store";

export interface Security {
  readonly brokers: readonly string[];
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

/** Any token that names a subject opens the door with OAUTHBEARER: Kafka's own handler for development. */
export async function securityOf(folder: string, port: number): Promise<Security> {
  const store = join(folder, "broker.p12");
  const keytool = (...args: string[]) =>
    run("keytool", [...args, "-keystore", store, "-storepass", PASSWORD, "-alias", "broker"]);
  await keytool(
    ...["-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12", "-validity", "2"],
    ...["-dname", "CN=broker", "-ext", "san=ip:127.0.0.1,dns:localhost"],
  );
  const { stdout: ca } = await keytool("-exportcert", "-rfc");
  const [username, password] = ["reader", "reader's secret"];
  const scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
  const listener = "listener.name.secure";
  const login = "org.apache.kafka.common.security";
  return {
    brokers: [`127.0.0.1:${port}`],
    ca,
    username,
    password,
    listener: `,SECURE://127.0.0.1:${port}`,
    formatArgs: scram.flatMap((of) => ["--add-scram", `${of}=[name=${username},password=${password}]`]),
    config: {
      "ssl.keystore.location": store,
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
