/** Checks of this machine: the data folder, the disk, the embedded log, the port for operators. */

import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { Streams } from "../../shared/config/streams.ts";
import { typed } from "../../shared/node/commands.ts";
import { EmbeddedLog, LogError, logPath } from "../embedded/log.ts";
import type { ListenAddress } from "../settings/config.ts";
import { type Finding, hint, ok, wrong } from "./finding.ts";
import { matchedBy } from "./matched.ts";

const GIB = 1024 ** 3;
/** With less than this an origin can't even begin. */
const LEAST_FREE = 64 * 1024 ** 2;

/** Makes nothing: if the folder isn't there yet, the one above it counts. */
export function examineFolder(dataDir: string, indexMaxBytes: number): Finding[] {
  const folder = resolve(dataDir, "origin");
  const there = nearest(folder);
  if (!statSync(there).isDirectory())
    return [wrong("DATA_DIR", `${there} is a file, and no folder`, "set DATA_DIR to a folder")];
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
  } catch {
    return [
      wrong(
        "DATA_DIR",
        `${there} can't be written by this account`,
        "let it, or set DATA_DIR to another folder",
      ),
    ];
  }
  const index = statSync(join(folder, "index.db"), { throwIfNoEntry: false })?.size ?? 0;
  const { bavail, bsize } = statfsSync(there);
  return [ok("DATA_DIR", `${folder} can be written`), diskFinding(bavail * bsize, index, indexMaxBytes)];
}

/** @param index Bytes that the index has already. */
export function diskFinding(free: number, index: number, indexMaxBytes: number): Finding {
  const more = Math.max(0, indexMaxBytes - index);
  const says = `${gib(free)} are free, where the index may come to need ${gib(more)} more`;
  if (free < LEAST_FREE) return wrong("disk", says, "make room, or set DATA_DIR to another disk");
  if (free < more) return hint("disk", says, "make room, or lower INDEX_MAX_BYTES");
  return ok("disk", says);
}

const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`;

function nearest(path: string): string {
  return existsSync(path) ? path : nearest(dirname(path));
}

export function examineEmbedded(dataDir: string, streams: Streams | undefined): Finding[] {
  const path = logPath(dataDir);
  if (!existsSync(path))
    return [
      hint(
        "embedded log",
        `there is none yet at ${path}`,
        `write to it with \`${typed("produce")}\`, or set KAFKA_BROKERS`,
      ),
    ];
  let log: EmbeddedLog | undefined;
  try {
    log = new EmbeddedLog(path);
    const opened = log;
    const matched = matchedBy(streams ?? new Streams([]), opened.topics());
    return [
      ok("embedded log", `${path} can be read`),
      ...matched.findings,
      ...matched.streams.map(({ topic }) => embeddedTopic(opened, topic)),
    ];
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    return [wrong("embedded log", error.message, "see to the file, or move it away: a new one is made")];
  } finally {
    log?.close();
  }
}

function embeddedTopic(log: EmbeddedLog, topic: string): Finding {
  const partitions = log.topic(topic)?.partitions;
  if (partitions === undefined)
    return hint(`topic ${topic}`, "it doesn't exist yet", `the first \`${typed("produce")}\` creates it`);
  const records = partitions.reduce((sum, { startOffset, endOffset }) => sum + endOffset - startOffset, 0);
  return ok(`topic ${topic}`, `${partitions.length} partitions with ${records} records`);
}

/** Whether the port could be opened now. Never rejects. */
export async function examineStatusPort({ host, port }: ListenAddress): Promise<Finding> {
  const what = "STATUS_PORT";
  const server = createServer();
  const failed = await new Promise<Error | undefined>((done) => {
    server.once("error", done);
    server.listen(port, host, () => done(undefined));
  });
  await new Promise((done) => server.close(done));
  if (failed === undefined) return ok(what, `${host}, port ${port} is free`);
  const { code } = failed as NodeJS.ErrnoException;
  if (code === "EADDRINUSE")
    return hint(
      what,
      `port ${port} of ${host} is taken`,
      "if it isn't by this origin, set another STATUS_PORT",
    );
  return wrong(
    what,
    `${host}, port ${port} can't be opened: ${failed.message}`,
    "correct STATUS_HOST or STATUS_PORT",
  );
}
