/** Where brokers of old keep what they know of one another. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { eventually } from "./deadline.ts";
import { freePort } from "./ports.ts";

export interface ZooKeeper {
  readonly address: string;
  stop(): Promise<void>;
}

/** Resolves when it can be connected to; its data is in a folder of `folder`. */
export async function startZooKeeper(classpath: string, folder: string): Promise<ZooKeeper> {
  const port = await freePort();
  const file = join(folder, "zookeeper.properties");
  writeFileSync(
    file,
    [
      `dataDir=${join(folder, "zookeeper")}`,
      `clientPort=${port}`,
      "clientPortAddress=127.0.0.1",
      "admin.enableServer=false",
    ].join("\n"),
  );
  const child = spawn(
    "java",
    [
      ...["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
      ...["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Dzookeeper.jmx.log4j.disable=true"],
      ...["-cp", classpath],
      ...["org.apache.zookeeper.server.quorum.QuorumPeerMain", file],
    ],
    { stdio: "ignore" },
  );
  const die = () => child.kill("SIGKILL");
  process.once("exit", die);
  const closed = once(child, "close");
  const stop = async () => {
    die();
    await closed;
    process.off("exit", die);
  };
  try {
    await eventually(async () => {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect").finally(() => socket.destroy());
      return true;
    }, "ZooKeeper listens");
  } catch (error) {
    await stop();
    throw error;
  }
  return { address: `127.0.0.1:${port}`, stop };
}
